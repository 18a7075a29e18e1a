"""Names of users and rooms: which are allowed, and when two are the same."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterator

from grpc_chat.errors import InvalidRequest
from grpc_chat.wire.spelling import folded, may_be_room_id

MIN_USER_ID, MAX_USER_ID = 2, 32

MAX_OWNED_ID = 64
"""For a bot that is named after its owner: the owner's id, a full stop, and as much again."""

NAMELESS = "user"
"""The name of an account for which nothing proposes one."""

_USER_ID = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*", re.ASCII)

# Characters of ids that look like others in common fonts; from Unicode's confusables (TR 39), which has these
# for ASCII's lower case and digits.
_LOOKS = (("m", "rn"), ("0", "o"), ("1", "l"), ("vv", "w"))
_MAX_PUBLIC_NAME_BYTES = 160
_SEPARATORS = str.maketrans("._", "--")
# Control characters (Cc) would reach terminals, format characters (Cf, bidi overrides among them) would let
# one id look like another, and surrogates (Cs) are not text.
_NOT_IN_NAMES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Characters that Unicode shows as nothing (Default_Ignorable_Code_Point in DerivedCoreProperties.txt) and
# that are not among the above: Python does not have this property. Assigned or not, so that a newer Python
# accepts no more.
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
    # Characters that are blank by name, though the property does not say so: an empty Braille cell, a note
    # without a head, a filler of Khitan, blanks of Egyptian.
    "\u2800\U0001d159\U00016fe4\U00013441\U00013442]"
)
# They say how to draw the character before them, such as an emoji, and show nothing themselves.
_SELECTOR = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_SELECTED = {"So", "Sm", "Sk", "Po", "Lo"}
# The keys of a telephone, which are emoji too.
_KEYCAPS = re.compile("[0-9#*]\ufe0f\u20e3")
# Of the rest, the characters that are visible by themselves: no combining marks, no spaces.
_SEEN = frozenset("LNPS")
_MAX_DISPLAY_NAME_BYTES = 64


def check_shows(value: str, path: str) -> None:
    """Refuse a name that would look blank, or has invisible characters. This applies to all kinds of names,
    wherever they come from.

    Raises:
        InvalidRequest: It names the character.
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
            # After anything else it is invisible, and the name would look like another.
            if before not in _SELECTED:
                raise _has(character, path)
            kind = ""
        else:
            seen = seen or kind[0] in _SEEN
        before = "" if character.isascii() else kind
    if not seen:
        raise InvalidRequest(f"{path} must have a visible character", field=path)


def check_characters(value: str, path: str) -> None:
    """Refuse characters that no name ever had, in searches for names.

    Raises:
        InvalidRequest: It names the character.
    """
    if value.isascii() and value.isprintable():
        return
    for character in value:
        if unicodedata.category(character) in _NOT_IN_NAMES:
            raise _has(character, path)


def _has(character: str, path: str) -> InvalidRequest:
    return InvalidRequest(f"{path} must not have the character U+{ord(character):04X}", field=path)


def check_display_name(value: str, path: str) -> None:
    """Refuse what can't be a display name, if it does not come from a request but, for example, from an
    issuer.

    Raises:
        InvalidRequest: Saying what the rule is.
    """
    if not value or len(value.encode(errors="surrogatepass")) > _MAX_DISPLAY_NAME_BYTES:
        raise InvalidRequest(f"{path} must be 1 to {_MAX_DISPLAY_NAME_BYTES} bytes of UTF-8", field=path)
    check_shows(value, path)


def check_user_id(value: str, path: str, *, most: int = MAX_USER_ID) -> None:
    """Refuse what can't be the name of a new account.

    Only ASCII, so that no letter of another script looks like one of these; lower case, so that there is one
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
        InvalidRequest: It says the rule, and does not depend on which other names there are.
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
    """A possible name of an account for which something proposes one, such as a mail address."""
    for proposal in proposals:
        plain = unicodedata.normalize("NFKD", proposal.partition("@")[0]).lower()
        letters = "".join(character for character in plain if not unicodedata.combining(character))
        name = re.sub(r"[^a-z0-9]+", "-", letters)[:MAX_USER_ID].strip("-")
        if len(name) >= MIN_USER_ID:
            return name
    return NAMELESS


def alternatives(user_id: str) -> Iterator[str]:
    """A name for a new account, and then endless others like it in case it is taken."""
    yield user_id
    # Room for a hyphen and what comes after it, and no second hyphen before.
    stem = user_id[: MAX_USER_ID - 9].rstrip("._-")
    for number in range(2, 20):
        yield f"{stem}-{number}"
    # With so many namesakes, names are no longer tried one by one.
    while True:
        yield f"{stem}-{secrets.token_hex(4)}"


def look(user_id: str) -> str:
    """An id's appearance: the same for two ids that can be mistaken for each other."""
    seen = user_id.translate(_SEPARATORS)
    for written, looks_like in _LOOKS:
        seen = seen.replace(written, looks_like)
    return seen


def check_room_name(value: str, path: str) -> None:
    """Refuse a room's name that would look like something else. Invisible characters are refused before, as
    in all names.

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
    # It stands for something else where people name a room.
    if value.startswith("@"):
        raise InvalidRequest(f"{path} must not begin with @, as direct rooms do", field=path)
    # A few characters are many in their usual form (U+FDFA is 18); pages of rooms are ordered by names in
    # that form.
    if len(public_name(value).encode()) > _MAX_PUBLIC_NAME_BYTES:
        raise InvalidRequest(
            f"{path} must not have so many characters that stand for several others", field=path
        )


def public_name(name: str) -> str:
    """The form in which public rooms' names are compared, without regard to case and encoding."""
    return folded(name)


def as_room_id(name: str) -> str:
    """The id of a room that somebody could mean by this name; empty if no id looks like that."""
    key = folded(name)
    return key if may_be_room_id(key) else ""
