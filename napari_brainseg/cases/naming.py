"""File names and what they say: which case, which channel or labels, under which naming. No file is opened."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from napari_brainseg.cases.case import Naming


class Kind(Enum):
    """What a file is, by its name."""

    CHANNEL = "channel"
    NUMBERED = "numbered channel"  # nnU-Net's _0000 …, whose meaning an order gives
    LABELS = "labels"
    OTHER = "other"  # masks, predictions, other sequences: never a channel
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class FileRole:
    """What a file name says.

    Attributes:
        kind: What the file is.
        case: The part of the name that belongs to the case; empty where the whole name is the role (`flair.nii.gz`).
        naming: The style that the name follows.
        channel: The channel's name, for channels.
        number: The channel's number, for numbered channels.
        rank: 0 where the name ends with the role, 1 with harmless words behind it, 2 where it stands anywhere.
    """

    kind: Kind
    case: str
    naming: Naming = Naming.PLAIN
    channel: str = ""
    number: int = -1
    rank: int = 0


# Order of nnU-Net's own BraTS conversion scripts (Dataset137_BraTS21 among them), and of Task01 of the Decathlon.
NNUNET_ORDER = ("t1", "t1ce", "t2", "flair")
DECATHLON_ORDER = ("flair", "t1", "t1ce", "t2")

_STYLE_2017 = re.compile(r"(?P<case>.+)_(?P<word>flair|t1|t1ce|t2|seg)")
_STYLE_2023 = re.compile(r"(?P<case>.+)-(?P<word>t2f|t1n|t1c|t2w|seg)")
_WORDS_2023 = {"t2f": "flair", "t1n": "t1", "t1c": "t1ce", "t2w": "t2"}
_NUMBERED = re.compile(r"(?P<case>.+)_000(?P<number>\d)")

_S = r"[ _.\-]"  # what may separate words
_CONTRAST = "ce|c|gd|gad|gado|gadolinium|km|post|postcontrast|contrast|enhanced"
_CHANNEL_WORDS = {
    "flair": rf"(?:t2w?{_S}?)?fl(?:air)?|t2f",
    "t1ce": rf"t1{_S}?w?{_S}?(?:{_CONTRAST}|post{_S}contrast|contrast{_S}enhanced)|(?:post|ce|gd){_S}?t1w?|ct1w?",
    "t1": rf"t1{_S}?w?(?:{_S}?(?:n|native|pre|precontrast|pre{_S}contrast|nc))?|pre{_S}?t1w?",
    "t2": rf"t2{_S}?w?(?:{_S}?(?:tse|fse))?",
}
_LABEL_WORDS = (
    rf"(?:(?:tumou?r|lesion|glistrboost|manual|expert|final){_S}?)?"
    rf"(?:seg|segm|segs|segmentations?|labels?|gt|truth|ground{_S}?truth|manuallycorrected)"
    rf"|(?:tumou?r|lesion){_S}?masks?|ot(?:{_S}\d+)?"
)
_HARMLESS = (
    "brain|bet|stripped|skullstripped|skull|strip|ss|n4|bias|corrected|reg|registered|coreg|coregistered|mni|sri|sri24|iso|"
    r"\d*mm|resampled|norm|normali[sz]ed|denoised|preprocessed|prep|crop|cropped|ax|axial|tra|sag|cor|3d|2d|\d+"
)
_OTHER = re.compile(
    r"mask|masks|brainmask|pred|preds|prediction|predictions|predicted|prob|probs|probability|probabilities|"
    r"softmax|logits|uncertainty|heatmap|dwi|adc|dti|fa|md|ad|rd|l1|l2|l3|swi|asl|pd|perf|perfusion|cbf|cbv|dsc|"
    r"dce|bold|t2star|warp|field|transform|atlas|aseg|parcellation|parenchyma|tissue|wm|gm|csf|auto|automated|"
    r"approx|nnunet|features",
    re.IGNORECASE,
)


def _ending(words: str, behind: str = "") -> re.Pattern[str]:
    return re.compile(rf"(?:(?P<case>.*?){_S}+)??(?:{words}){behind}", re.IGNORECASE)


_BEHIND = rf"(?:{_S}+(?:{_HARMLESS}))+"
_CHANNEL_ENDING = {name: (_ending(words), _ending(words, _BEHIND)) for name, words in _CHANNEL_WORDS.items()}
_CHANNEL_ANYWHERE = {
    name: re.compile(rf"(?P<before>.*?{_S}|)(?:{words})(?P<behind>{_S}.*|)", re.IGNORECASE)
    for name, words in _CHANNEL_WORDS.items()
}
_CHANNEL_WHOLE = {name: re.compile(words, re.IGNORECASE) for name, words in _CHANNEL_WORDS.items()}
_LABELS_ENDING = _ending(_LABEL_WORDS)


def role_of(stem: str) -> FileRole:
    """Return what the stem of a NIfTI file's name says (the name without `.nii` or `.nii.gz`)."""
    for style, naming, words in ((_STYLE_2017, Naming.BRATS_2017, {}), (_STYLE_2023, Naming.BRATS_2023, _WORDS_2023)):
        match = style.fullmatch(stem)
        last = re.split(_S, match["case"])[-1] if match else ""
        if match is None or _is_other(last):
            continue
        if match["word"] != "seg":
            return FileRole(Kind.CHANNEL, match["case"], naming, words.get(match["word"], match["word"]))
        if channel_of(last) is None and last.lower() != "brain":
            return FileRole(Kind.LABELS, match["case"], naming)
    numbered = _NUMBERED.fullmatch(stem)
    if numbered:
        return FileRole(Kind.NUMBERED, numbered["case"], Naming.NNUNET, number=int(numbered["number"]))
    return _plain_channel(stem) or _plain_labels(stem) or _channel_anywhere(stem)


def channel_of(word: str) -> str | None:
    """Return the channel that a word means (`T1Gd` → `t1ce`), or None."""
    return next((name for name, pattern in _CHANNEL_WHOLE.items() if pattern.fullmatch(word)), None)


def labels_naming(stem: str, case_id: str, default: Naming) -> Naming:
    """Return the naming that a labels file's own name follows: nnU-Net's outputs have just the case's name."""
    if stem == case_id:
        return Naming.NNUNET if default is not Naming.DECATHLON else default
    role = role_of(stem)
    return role.naming if role.kind is Kind.LABELS and role.naming is not Naming.PLAIN else default


def _plain_channel(stem: str) -> FileRole | None:
    for rank in (0, 1):
        for name, patterns in _CHANNEL_ENDING.items():
            match = patterns[rank].fullmatch(stem)
            if match and not _is_other(re.split(_S, match["case"] or "")[-1]):
                return FileRole(Kind.CHANNEL, match["case"] or "", channel=name, rank=rank)
    return None


def _plain_labels(stem: str) -> FileRole | None:
    match = _LABELS_ENDING.fullmatch(stem)
    if match is None:
        return None
    case = match["case"] or ""
    last = re.split(_S, case)[-1]
    if _is_other(last) or last.lower() == "brain":
        return FileRole(Kind.OTHER, case)
    # `case_flair_seg` are labels that were drawn on one channel.
    drawn_on = _plain_channel(case) if case else None
    return FileRole(Kind.LABELS, drawn_on.case, rank=1) if drawn_on else FileRole(Kind.LABELS, case)


def _channel_anywhere(stem: str) -> FileRole:
    if any(_is_other(word) for word in re.split(_S, stem)):
        return FileRole(Kind.OTHER, stem)
    for name, pattern in _CHANNEL_ANYWHERE.items():
        match = pattern.fullmatch(stem)
        if match:
            return FileRole(Kind.CHANNEL, match["before"].rstrip(" _.-") + match["behind"], channel=name, rank=2)
    return FileRole(Kind.UNKNOWN, stem)


def _is_other(word: str) -> bool:
    return _OTHER.fullmatch(word) is not None
