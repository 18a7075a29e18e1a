"""What users and rooms may be called, and when two names are the same."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterator

from grpc_chat.errors import InvalidRequest
from grpc_chat.wire.spelling import folded, may_be_room_id

MIN_USER_ID, MAX_USER_ID = 2, 32

MAX_OWNED_ID = 64
"""Of a bot that is named after its owner: the owner's id, a full stop, and as much again."""

NAMELESS = "user"
"""What an account is called for which nothing proposes a name."""

_USER_ID = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*", re.ASCII)

# What a reader takes for something else in common fonts, of the characters that ids are made of; from
# Unicode's confusables (TR 39), which has these of ASCII's lower case and digits.
_LOOKS = (("m", "rn"), ("0", "o"), ("1", "l"), ("vv", "w"))
_MAX_PUBLIC_NAME_BYTES = 160
_SEPARATORS = str.maketrans("._", "--")
# Control characters (Cc) would reach terminals, format characters (Cf, bidi overrides among them) would let
# one id look like another, and surrogates (Cs) are no text.
_NOT_IN_NAMES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# What Unicode shows as nothing (Default_Ignorable_Code_Point in DerivedCoreProperties.txt), as far as it is
# none of the above: Python does not know this property. Assigned or not: a newer Python takes no more.
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
    # What is blank by its name, though the property does not say so: an empty Braille cell, a note without a
    # head, a filler of Khitan, blanks of Egyptian.
    "\u2800\U0001d159\U00016fe4\U00013441\U00013442]"
)
# They say how the character before them is drawn, as of an emoji, and are nothing themselves.
_SELECTOR = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_SELECTED = {"So", "Sm", "Sk", "Po", "Lo"}
# The keys of a telephone, which are emoji too.
_KEYCAPS = re.compile("[0-9#*]\ufe0f\u20e3")
# Of the rest, those that are seen without another: no combining marks, no spaces.
_SEEN = frozenset("LNPS")
_MAX_DISPLAY_NAME_BYTES = 64


def check_shows(value: str, path: str) -> None:
    """Refuse a name that would look blank, or holds what nobody sees: all kinds of names.

    Whatever a name is of, and wherever it comes from.

    Raises:
        InvalidRequest: Saying what does not show.
    """
    if value.isascii() and value.isprintable() and not value.isspace():
        return
    check_characters(value, path)
    before = ""
    seen = False
    for character in _KEYCAPS.sub("1", value):
        kind = unicodedata.category(character)
        if _IGNORABLE.match(character):
            raise _has(character, path)
        if _SELECTOR.match(character):
            # After anything else it does not show, and the name would be another one's to the eye.
            if before not in _SELECTED:
                raise _has(character, path)
            kind = ""
        else:
            seen = seen or kind[0] in _SEEN
        before = "" if character.isascii() else kind
    if not seen:
        raise InvalidRequest(f"{path} must have a visible character", field=path)


def check_characters(value: str, path: str) -> None:
    """Refuse characters that no name ever had, in what names are looked for by.

    Raises:
        InvalidRequest: Saying which.
    """
    if value.isascii() and value.isprintable():
        return
    for character in value:
        if unicodedata.category(character) in _NOT_IN_NAMES:
            raise _has(character, path)


def _has(character: str, path: str) -> InvalidRequest:
    return InvalidRequest(f"{path} must not have the character U+{ord(character):04X}", field=path)


def check_display_name(value: str, path: str) -> None:
    """Refuse what can't be a display name, where no request brings it: an issuer's, say.

    Raises:
        InvalidRequest: Saying what the rule is.
    """
    if not value or len(value.encode(errors="surrogatepass")) > _MAX_DISPLAY_NAME_BYTES:
        raise InvalidRequest(f"{path} must be 1 to {_MAX_DISPLAY_NAME_BYTES} bytes of UTF-8", field=path)
    check_shows(value, path)


def check_user_id(value: str, path: str, *, most: int = MAX_USER_ID) -> None:
    """Refuse what can't be the name of a new account.

    Only ASCII, so that no letter of another script passes for one of these; lower case, so that there is one
    way to write it.

    Raises:
        InvalidRequest: Saying what the rule is.
    """
    if not value:
        raise InvalidRequest(f"{path} must not be empty", field=path)
    if not MIN_USER_ID <= len(value) <= most or not _USER_ID.fullmatch(value):
        hint = ""
        lower = value.lower()
        if lower != value and MIN_USER_ID <= len(lower) <= most and _USER_ID.fullmatch(lower):
            hint = f"; {lower} would do"
        raise InvalidRequest(
            f"{path} must be {MIN_USER_ID} to {most} characters of a-z, 0-9 and, between them, '.', "
            f"'_' and '-'{hint}",
            field=path,
            metadata={"min": str(MIN_USER_ID), "max": str(most)},
        )


def check_owned_id(value: str, path: str, *, owner_id: str) -> None:
    """Refuse what can't be the name of a bot where bots are named after their owners.

    Raises:
        InvalidRequest: Saying what the rule is. It does not depend on which other names there are.
    """
    prefix = f"{owner_id}."
    if value.startswith(prefix) or not value:
        return check_user_id(value, path, most=MAX_OWNED_ID)
    proposal = prefix + value
    fits = len(proposal) <= MAX_OWNED_ID and _USER_ID.fullmatch(proposal)
    raise InvalidRequest(
        f"{path} must begin with {prefix}, as on this server the names of bots begin with their owner's"
        + (f"; {proposal} would do" if fits else ""),
        field=path,
    )


def proposed_user_id(*proposals: str) -> str:
    """What an account may be called for which something else proposes a name, as a mail address."""
    for proposal in proposals:
        plain = unicodedata.normalize("NFKD", proposal.partition("@")[0]).lower()
        letters = "".join(character for character in plain if not unicodedata.combining(character))
        name = re.sub(r"[^a-z0-9]+", "-", letters)[:MAX_USER_ID].strip("-")
        if len(name) >= MIN_USER_ID:
            return name
    return NAMELESS


def alternatives(user_id: str) -> Iterator[str]:
    """A name for a new account, and without end others like it, for where that one is taken."""
    yield user_id
    # Room for a hyphen and what comes after it, and no second hyphen before.
    stem = user_id[: MAX_USER_ID - 9].rstrip("._-")
    for number in range(2, 20):
        yield f"{stem}-{number}"
    # Whoever has so many namesakes is not looked for one by one.
    while True:
        yield f"{stem}-{secrets.token_hex(4)}"


def look(user_id: str) -> str:
    """What an id looks like at a glance: the same for two of which one can be taken for the other."""
    seen = user_id.translate(_SEPARATORS)
    for written, looks_like in _LOOKS:
        seen = seen.replace(written, looks_like)
    return seen


def check_room_name(value: str, path: str) -> None:
    """Refuse a room's name that would not look like what it is.

    Characters that do not show are refused before, with all names.

    Raises:
        InvalidRequest: Saying what the rule is.
    """
    if not value:
        raise InvalidRequest(f"{path} must not be empty", field=path)
    if value != " ".join(value.split()):
        raise InvalidRequest(
            f"{path} must not begin or end with a space, have two in a row, or have another kind of space",
            field=path,
        )
    # What stands for something else where people name a room.
    if value.startswith("@"):
        raise InvalidRequest(f"{path} must not begin with @, as direct rooms do", field=path)
    # A few characters are many in their usual form (U+FDFA is 18); pages are turned by names in that form.
    if len(public_name(value).encode()) > _MAX_PUBLIC_NAME_BYTES:
        raise InvalidRequest(
            f"{path} must not have so many characters that stand for several others", field=path
        )


def public_name(name: str) -> str:
    """What makes a public room's name the same as another's: upper and lower case, and how it is encoded, are
    not it."""
    return folded(name)


def as_room_id(name: str) -> str:
    """The id of a room that somebody could mean who writes this name; empty where no id looks so."""
    key = folded(name)
    return key if may_be_room_id(key) else ""
