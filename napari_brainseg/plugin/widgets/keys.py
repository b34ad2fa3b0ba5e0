"""`KEYS`: every key of ours, what it does and where it counts. Bindings, the list on screen and the tests read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Where(StrEnum):
    """Where a key counts."""

    LAYER = "on the working labels only"
    WINDOW = "in the window, except in text fields"


@dataclass(frozen=True)
class ShortcutActions:
    """What the keys call; `KEYS` names these fields.

    Attributes:
        select_class: Brush with the class of this value; 0 is the eraser.
        draw_polygon: Choose the polygon tool.
        undo: Take the last edit back.
        redo: Make it again.
        confirm: Confirm the shown slice.
        take_back: Take that back.
        next_place: Show the next place to look at.
        previous_place: Show the one before.
        hold_overlay: The overlay key went down (True) or up (False).
        toggle_outline: Outlines or filled.
        toggle_smooth: Smooth images or plain pixels.
        show_channel: Show channel 1, 2, 3 or 4.
        hold_window_level: The window and level key went down (True) or up (False).
        next_case: Open the next case.
        previous_case: Open the previous case.
    """

    select_class: Callable[[int], object]
    draw_polygon: Callable[[], object]
    undo: Callable[[], object]
    redo: Callable[[], object]
    confirm: Callable[[], object]
    take_back: Callable[[], object]
    next_place: Callable[[], object]
    previous_place: Callable[[], object]
    hold_overlay: Callable[[bool], object]
    toggle_outline: Callable[[], object]
    toggle_smooth: Callable[[], object]
    show_channel: Callable[[int], object]
    hold_window_level: Callable[[bool], object]
    next_case: Callable[[], object]
    previous_case: Callable[[], object]


@dataclass(frozen=True)
class Key:
    """One key of ours.

    Attributes:
        key: The key in Qt's words, such as `Ctrl+Shift+Z`.
        does: What it does, for the list on screen.
        where: Where it counts.
        action: The field of `ShortcutActions` that it calls.
        number: What the action is called with, where it takes a number.
        held: Whether the action is called with True when the key goes down and with False when it goes up.
    """

    key: str
    does: str
    where: Where
    action: str
    number: int | None = None
    held: bool = False


KEYS: tuple[Key, ...] = (
    *(Key(str(n), f"brush with class {n}", Where.LAYER, "select_class", n) for n in (1, 2, 3, 4)),
    Key("0", "eraser", Where.LAYER, "select_class", 0),
    Key("G", "polygon tool; Enter completes it, Esc gives it up", Where.LAYER, "draw_polygon"),
    Key("Ctrl+Z", "undo", Where.LAYER, "undo"),
    Key("Ctrl+Shift+Z", "redo", Where.LAYER, "redo"),
    Key("K", "confirm the shown slice", Where.WINDOW, "confirm"),
    Key("Shift+K", "take the confirmation back", Where.WINDOW, "take_back"),
    Key("N", "next place to look at, with the reason", Where.WINDOW, "next_place"),
    Key("Shift+N", "previous place to look at", Where.WINDOW, "previous_place"),
    Key("H", "overlay off while held; a tap switches it", Where.WINDOW, "hold_overlay", held=True),
    Key("U", "labels as outlines or filled", Where.WINDOW, "toggle_outline"),
    Key("Q", "images smooth or as plain pixels", Where.WINDOW, "toggle_smooth"),
    *(Key(f"Shift+{n}", f"show channel {n}", Where.WINDOW, "show_channel", n) for n in (1, 2, 3, 4)),
    Key("W", "with a drag: window and level; twice: reset", Where.WINDOW, "hold_window_level", held=True),
    Key("PgDown", "next case of the worklist", Where.WINDOW, "next_case"),
    Key("PgUp", "previous case of the worklist", Where.WINDOW, "previous_case"),
)

# napari's status line lists its own keys for labels, of which several are ours here.
HELP = "1 to 4 class, 0 eraser, G polygon, F fill, L pick, Z or space move, K confirm slice, N next place, Ctrl+Z undo"

# napari's own keys for labels that stay as they are, shown in the list beside ours.
NAPARI_KEYS: tuple[tuple[str, str], ...] = (
    ("P", "paint"),
    ("E", "erase"),
    ("F", "fill"),
    ("L", "pick the class under the cursor"),
    ("Z", "move the picture"),
    ("[ and ]", "smaller, larger brush"),
    ("B", "preserve other labels"),
    ("X", "swap class and background"),
    ("Space, held", "move the picture while held"),
    ("Left, Right", "previous, next slice"),
    ("Ctrl+E", "next plane"),
)
