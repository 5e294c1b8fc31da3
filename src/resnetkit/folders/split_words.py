"""Words that name a part of a data set, in the languages that folders are named in, and how a name is read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

# The plain spellings, which nobody has to be told of.
PLAIN: Mapping[str, str] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
# Latin words are written without accents: names are compared so.
WORDS: Mapping[str, str] = {
    "train": "train training trainings trn entrenamiento entrenar apprentissage entrainement treino treinamento "
    "addestramento allenamento oefening trening traning egitim uczenie treningowe обучение обучающая тренировка "
    "训练 訓練 学習 훈련 학습 تدريب",
    "val": "val valid validation validate validating dev development validacion validacao validazione validierung "
    "validierungs validatie walidacja dogrulama валидация валидационная 验证 驗證 検証 검증",
    "test": "test tests testing tst prueba pruebas teste testes prova pruefung prufung testowe essai тест тестовая "
    "测试 測試 テスト 테스트 시험 اختبار",
    "val or test": "eval evaluation evaluate holdout heldout evaluacion avaliacao valutazione auswertung 评估 評価 "
    "평가",
    "unlabelled": "pred predict prediction predictions unlabeled unlabelled unlabel submission inference",
    "part": "fold part parts split partition batch chunk subset shard set teil parte partie",
}
# What stands beside such a word without changing what it means.
FILLERS = (
    "set sets data dataset datasets image images img imgs picture pictures pic pics photo photos folder folders dir "
    "split splits file files sample samples jpg jpeg png px of the for de del du des d la le los jeu conjunto "
    "datos imagenes fotos donnees daten datensatz satz bilder bild menge dados imagens dati immagini dane obrazy "
    "данные набор выборка изображения 集 集合 数据 数据集 資料 資料集 图片 图像 圖片 画像 データ データセット "
    "세트 데이터 이미지"
)


@dataclass(frozen=True)
class Name:
    """Reading of a folder's name.

    Attributes:
        meaning: which part of a data set it names, if any.
        rest: its other words, but for those that say nothing.
    """

    meaning: str | None
    rest: tuple[str, ...]


def split_names(names: Iterable[str]) -> dict[str, str]:
    """The names of some folders that stand for a part of a data set, and for which.

    Other words in such a name must be in the names of two different parts: ``cats_train`` and ``cats_test`` are
    parts, ``steam_train`` and ``electric_train`` are not.

    >>> split_names(["training_set", "test-images", "Trainingsdaten", "birds"])
    {'training_set': 'train', 'test-images': 'test', 'Trainingsdaten': 'train'}
    >>> split_names(["seg_train", "seg_pred", "steam_train"])
    {'seg_train': 'train', 'seg_pred': 'unlabelled'}
    """
    read = {name: read_name(name) for name in names}
    by_rest: dict[tuple[str, ...], set[str]] = {}
    for name in read.values():
        if name.meaning is not None:
            by_rest.setdefault(name.rest, set()).add(name.meaning)
    return {
        text: name.meaning
        for text, name in read.items()
        if name.meaning is not None and (not name.rest or (name.meaning != "part" and len(by_rest[name.rest]) > 1))
    }


def says_nothing(name: str) -> bool:
    """Tell whether a folder's name says only that it holds data: ``images``, ``dataset_2``, ``train_test_split``."""
    read, words = read_name(name), _words(name)
    is_number = all(word.isdigit() for word in words)
    return not read.rest and read.meaning in (None, "train", "val", "test") and not is_number


@cache
def read_name(text: str) -> Name:
    """Read one name.

    >>> read_name("dogs-vs-cats_TrainImages")
    Name(meaning='train', rest=('dogs', 'vs', 'cats'))
    >>> read_name("fold 3"), read_name("folding chair")
    (Name(meaning='part', rest=()), Name(meaning=None, rest=('folding', 'chair')))
    """
    words = _words(text)
    found = [(word, _meaning(word)) for word in words]
    meanings = {meaning for _, meaning in found if meaning and meaning != "part"}
    rest = tuple(word for word, meaning in found if not meaning and word not in _FILLERS and not word.isdigit())
    if len(meanings) == 1:
        return Name(meanings.pop(), rest)
    # A part is a word with a number or a letter: fold1, part B.
    if len(words) == 2 and found[0][1] == "part" and (words[1].isdigit() or len(words[1]) == 1):
        return Name("part", ())
    return Name(None, rest)


def _words(text: str) -> list[str]:
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    text = re.sub(r"\d+x\d+", " ", re.sub(r"(?i)(?<=ho|he)ld[\W_]out", "ldout", text))
    return [word for word in re.split(r"[\W_]+|(?<=\D)(?=\d)|(?<=\d)(?=\D)", _plain(text)) if word]


def _plain(text: str) -> str:
    """Lower case, without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(sign for sign in decomposed if not (unicodedata.combining(sign) and sign < "\u0400"))
    return unicodedata.normalize("NFKC", bare)


_MEANING_OF: Mapping[str, str] = {_plain(word): meaning for meaning, words in WORDS.items() for word in words.split()}
_FILLERS = frozenset(map(_plain, FILLERS.split()))


def _meaning(word: str) -> str | None:
    """Find what a word names: itself, or what is left of a compound such as ``trainset`` or ``testdaten``."""
    if word in _MEANING_OF:
        return _MEANING_OF[word]
    for cut in range(2, len(word) - 1) if word.isascii() else range(1, len(word)):
        for known, filler in ((word[:cut], word[cut:]), (word[cut:], word[:cut])):
            meaning = _MEANING_OF.get(known)
            if meaning not in (None, "part") and filler in _FILLERS and len(filler) > (2 if word.isascii() else 0):
                return meaning
    return None
