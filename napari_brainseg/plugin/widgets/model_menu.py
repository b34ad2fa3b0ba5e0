"""`ModelMenu`: what can be done with the chosen model besides running it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QMenu, QToolButton, QWidget

from napari_brainseg.model_store.store import ModelRecord, why_not_ours


class ModelAct(StrEnum):
    """One entry of the menu."""

    ROLL_BACK = "roll back"
    RENAME = "rename"
    EXPORT = "export"
    IMPORT = "import"
    ADD = "add"
    DELETE = "delete"


@dataclass(frozen=True)
class ModelFacts:
    """What the menu must know.

    Attributes:
        record: The chosen model, or None.
        origin: The model that it was fine-tuned from as people see it; empty where it was not.
        why_not_own: Why it can be neither renamed nor deleted; empty where it can.
        others: The models that it can be laid beside, the likeliest first.
    """

    record: ModelRecord | None = None
    origin: str = ""
    why_not_own: str = ""
    others: Sequence[ModelRecord] = ()


class ModelMenu(QToolButton):
    """A button that opens the menu; it changes nothing itself.

    Signals:
        opening(): The menu is about to be shown; `show_facts` should be called now.
        requested(object): A `ModelAct` was chosen.
        compare_requested(object): The chosen model should be laid beside this `ModelRecord`.
    """

    opening = Signal()
    requested = Signal(object)
    compare_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("link")
        self.setText("more ▾")
        self.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.setToolTip("Compare, go back, rename, pass on or delete models")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        self.compare_menu = QMenu("Compare with", menu)
        self.actions_by_act: dict[ModelAct, QAction] = {}
        menu.addMenu(self.compare_menu)
        for act in ModelAct:
            if act in (ModelAct.RENAME, ModelAct.IMPORT):
                menu.addSeparator()
            action = QAction(act.value, menu)
            action.triggered.connect(lambda _checked=False, act=act: self.requested.emit(act))
            self.actions_by_act[act] = action
            menu.addAction(action)
        menu.aboutToShow.connect(self.opening)
        self.setMenu(menu)
        self.show_facts(ModelFacts())

    def show_facts(self, facts: ModelFacts) -> None:
        """Name and offer what can be done."""
        record, actions = facts.record, self.actions_by_act
        name = "the model" if record is None else record.display_name
        actions[ModelAct.ROLL_BACK].setText(f"Go back to {facts.origin}" if facts.origin else "Go back")
        actions[ModelAct.ROLL_BACK].setEnabled(bool(facts.origin))
        actions[ModelAct.ROLL_BACK].setToolTip(f"Choose the model that {name} was fine-tuned from; both stay")
        actions[ModelAct.RENAME].setText(f"Rename {name} …")
        actions[ModelAct.EXPORT].setText(f"Export {name} as a zip file …")
        actions[ModelAct.EXPORT].setEnabled(record is not None and record.external is None)
        actions[ModelAct.EXPORT].setToolTip("" if record is None else why_not_ours(record))
        actions[ModelAct.IMPORT].setText("Import a model …")
        actions[ModelAct.ADD].setText("Add a model of nnU-Net or MONAI …")
        actions[ModelAct.ADD].setToolTip("It runs in its own Python environment; nothing of it is copied")
        actions[ModelAct.DELETE].setText(f"Delete {name} …")
        for act in (ModelAct.RENAME, ModelAct.DELETE):
            actions[act].setEnabled(record is not None and not facts.why_not_own)
            actions[act].setToolTip(facts.why_not_own)
        self.compare_menu.clear()
        self.compare_menu.setEnabled(record is not None and bool(facts.others))
        for other in facts.others:
            action = QAction(other.display_name, self.compare_menu)
            action.triggered.connect(lambda _checked=False, other=other: self.compare_requested.emit(other))
            self.compare_menu.addAction(action)
