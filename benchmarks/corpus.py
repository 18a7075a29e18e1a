"""A corpus of messages in six languages, the same for the same seed: for the benchmark of search.

The words are made up, of the letters and syllables of real ones, and come up as often as real words do
(Zipf's law), so that common and rare groups of letters are about as common and as rare as in what people
write.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import accumulate

_ENGLISH = (
    "the be to of and a in that have it for not on with he as you do at this but his by from they we "
    "say her she or an will my one all would there their what so up out if about who get which go me "
    "when make can like time no just him know take people into year your good some could them see other "
    "than then now look only come its over think also back after use two how our work first well way "
    "even new want because any these give day most us server message meeting tomorrow release "
    "deployment question answer yesterday morning weekend project branch review customer invoice "
    "schedule database connection computer language different important together something"
)
_GERMAN = (
    "der die und in den von zu das mit sich des auf ist im dem nicht ein eine als auch es an werden aus "
    "er hat dass sie nach wird bei einer um am sind noch wie einem einen so zum haben nur oder aber vor "
    "zur bis mehr durch man sein wurde sei kann gegen vom können schon wenn habe seine ihre dann unter "
    "wir soll ich eines Jahr zwei Jahren diese dieser wieder keine Uhr seiner worden Besprechung "
    "Rechnung Straße Änderung Übersicht Größe fällig Gespräch Verbindung Nachricht Wochenende Kalender "
    "Vorschlag Entscheidung Zusammenarbeit Fahrkarte Bürgermeister schließen"
)
_KANA = (
    "のにはをたがでてとしれさあいうえおかきくけこすせそちつなひまみもやよらりるろわん"
    "アイウエカキクコサシスセタチテトナニ"
)
_THAI = (
    "ที่ ใน และ ของ เป็น การ มี ไม่ ว่า ได้ จะ ให้ คน นี้ มา ไป กับ แต่ ก็ ถึง เขา วัน ปี ทำ ขึ้น กัน อยู่ อย่าง ต้อง แล้ว บ้าน งาน "
    "น้ำ เมือง ประเทศ ภาษา ประชุม พรุ่งนี้ เอกสาร ข้อความ เพื่อน อาหาร โรงเรียน ตลาด รถไฟ สวัสดี ขอบคุณ คำถาม คำตอบ"
)

Speak = Callable[[random.Random], str]


class Corpus:
    """Texts, an endless stream of them; about 60 characters each.

    Args:
        words: How many different words a language has.
    """

    def __init__(self, seed: int = 1, *, words: int = 30_000) -> None:
        self._random = rng = random.Random(seed)
        chinese = [chr(0x4E00 + n) for n in rng.sample(range(0x51A5), 3500)]
        hangul = [chr(0xAC00 + n) for n in rng.sample(range(11172), 1200)]
        self._languages: list[tuple[list[str], str, float]] = [
            (self._letters(_ENGLISH.split(), words), " ", 58),
            (self._letters(_GERMAN.split(), words), " ", 62),
            (self._syllables(chinese, words, (1, 2, 2, 2, 3, 4)), "", 38),
            (self._syllables(list(_KANA) + chinese[:1800], words, (1, 2, 2, 3, 4)), "", 40),
            (self._syllables(hangul, words, (1, 2, 2, 3, 3, 4)), " ", 45),
            (self._syllables(_THAI.split(), words, (1, 1, 2)), "", 50),
        ]

    def texts(self) -> Iterator[str]:
        """The texts, one after the other."""
        rng = self._random
        weights = [
            list(accumulate(1 / (rank + 2.7) for rank in range(len(words))))
            for words, _, _ in self._languages
        ]
        while True:
            (words, space, mean), cumulated = rng.choices(
                list(zip(self._languages, weights, strict=True)), (40, 20, 15, 10, 10, 5)
            )[0]
            # The mean of this distribution is 1.28.
            length = min(rng.lognormvariate(0, 0.7) * mean / 1.28, 1000)
            count = max(1, round(length / 5.3 if space else length / 2.2))
            said = rng.choices(words, cum_weights=cumulated, k=count)
            text = space.join(said)
            if rng.random() < 0.5:
                text += rng.choice((".", "?", "!", "。", " :)"))
            yield text[:1].upper() + text[1:]

    def _letters(self, seeds: list[str], words: int) -> list[str]:
        """The seeds, and then words in which each letter follows two others as it does in the seeds."""
        rng = self._random
        follows: dict[str, list[str]] = {}
        for word in seeds:
            padded = f"  {word} "
            for at in range(len(padded) - 2):
                follows.setdefault(padded[at : at + 2], []).append(padded[at + 2])
        made = dict.fromkeys(seeds)
        while len(made) < words:
            word, state = "", "  "
            while len(word) < 14:
                letter = rng.choice(follows[state])
                if letter == " ":
                    break
                word, state = word + letter, state[1] + letter
            if rng.random() < 0.2:
                # Compounds, names, words of other languages.
                word += (
                    rng.choice(seeds)
                    if rng.random() < 0.5
                    else rng.choice("abcdefghijklmnopqrstuvwxyz0123456789")
                )
            made[word] = None
        return list(made)

    def _syllables(self, syllables: list[str], words: int, lengths: tuple[int, ...]) -> list[str]:
        """Words of some syllables, of which the first are the most common."""
        rng = self._random
        weights = list(accumulate(1 / (rank + 8) for rank in range(len(syllables))))
        made: dict[str, None] = {}
        tries = 0
        while len(made) < words and tries < 8 * words:
            tries += 1
            made["".join(rng.choices(syllables, cum_weights=weights, k=rng.choice(lengths)))] = None
        return list(made)
