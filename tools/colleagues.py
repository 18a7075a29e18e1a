"""A dozen colleagues and what they say to each other, for pictures and for tests of how pages look."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from PIL import Image, ImageDraw

from grpc_chat.sdk.bodies import LinkCard
from grpc_chat.sdk.client import Client
from grpc_chat.sdk.poll_records import Poll
from grpc_chat.testing import RunningNode

NAMES = {
    "amara": "Amara Okafor",
    "ben": "Ben Sørensen",
    "chiara": "Chiara Lombardi",
    "daniel": "Daniel Weiß",
    "elif": "Elif Şahin",
    "farid": "فريد الأنصاري",
    "grace": "Grace Nakamura-Bartholomew-Montgomery",
    "hugo": "Hugo Lindqvist",
    "ines": "Inês Carvalho",
    "jonas": "Jonas Petrauskas",
    "keren": "קרן לוי",
    "liam": "Liam Connell",
}
"""By their user names."""

ME = "amara"

_CODE = """\
The retry was missing. This is all of it:

```python
async def deliver(message: Message, attempts: int = 5) -> Receipt:
    for attempt in range(attempts):
        try:
            return await send(message)
        except Unavailable:
            await asyncio.sleep(2**attempt)
    raise Undelivered(message.id)
```
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where what is: the ids of rooms, and the root of a thread in the first."""

    release: str
    kitchen: str
    arabic: str
    direct: str
    root: int
    edited: int


async def talk(node: RunningNode) -> Place:
    """Let them make rooms and talk; Amara, who looks on, has read some of it."""
    people = {user_id: await node.register(user_id, admin=user_id == ME) for user_id in NAMES}
    for user_id, name in NAMES.items():
        await people[user_id].update_profile(display_name=name)
    amara, ben, chiara, elif_ = (people[name] for name in ("amara", "ben", "chiara", "elif"))
    release = await _room(people, "Release 4.2", "What is left until Thursday", tuple(NAMES))
    kitchen = await _room(people, "Kitchen", "Lunch, coffee and who took my mug", tuple(NAMES)[:9])
    arabic = await _room(people, "فريق القاهرة", "اجتماع كل يوم اثنين", ("amara", "farid", "keren"))
    for name, topic in (
        ("Design reviews", "Fridays at ten"),
        ("Incidents", ""),
        ("Infrastructure-and-everything-that-runs-on-it", "Nothing here is urgent unless somebody says so"),
        ("Reading group", ""),
    ):
        await _room(people, name, topic, tuple(NAMES)[:6])
    for name in ("Climbing", "Photography", "Gardeners"):
        await ben.create_room(name, public=True, topic=f"For those who like {name.lower()}")
    await _lunch(people, kitchen)
    direct = await chiara.direct_room(ME)
    await chiara.send(
        direct.room_id, "Do you have ten minutes after lunch? I would like to show you the new list."
    )
    root, edited = await _release(people, release)
    await people["farid"].send(arabic, "صباح الخير! هل وصلت النسخة الجديدة إلى الخادم؟")
    await amara.send(arabic, "نعم، منذ ساعة. Version 4.2.0-rc3 تعمل الآن.")
    await people["keren"].send(arabic, "מעולה, אני בודקת את זה עכשיו: `deploy --check`")
    await elif_.set_status("In Izmir until Friday")
    await ben.set_status("Reviewing")
    await _kept(amara, ben, release, root)
    return Place(release, kitchen, arabic, direct.room_id, root, edited)


async def _room(people: dict[str, Client], name: str, topic: str, members: tuple[str, ...]) -> str:
    room = await people[ME].create_room(name, topic=topic)
    invite = await people[ME].create_invite(room.room_id)
    for user_id in members:
        if user_id != ME:
            await people[user_id].join_room(invite=invite.code)
    return room.room_id


async def _lunch(people: dict[str, Client], room: str) -> None:
    await people["hugo"].send(room, "There is cake. It is next to the printer, for reasons.")
    poll = Poll(("The noodle place", "Falafel", "Something with a roof, it rains"))
    asked = await people["ines"].send(room, "Where do we eat?", poll=poll)
    for number, voter in enumerate(("ben", "elif", "grace", "hugo", "daniel")):
        await people[voter].vote(room, asked.seq, number % 3)
    await people["grace"].send(
        room, "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
    )
    await people["daniel"].send(room, "That is **one** word, and it *fits*.")


async def _release(people: dict[str, Client], room: str) -> tuple[int, int]:
    amara, ben, chiara, daniel = (people[name] for name in ("amara", "ben", "chiara", "daniel"))
    await ben.send(
        room, "Good morning. Two things are left for 4.2:\n\n- the retry of deliveries\n- the notes"
    )
    await daniel.send(room, "I have the notes. Who takes the retry?")
    taken = await amara.send(room, "I do. It is nearly done.", reply_to=(await _last(daniel, room)))
    await ben.react(room, taken.seq, "✔️")
    await chiara.react(room, taken.seq, "✔️")
    root = (await amara.send(room, _CODE)).seq
    for user_id, said in (
        ("ben", "Five attempts are half a minute. Is that long enough for a restart?"),
        (
            "amara",
            "A restart takes two seconds, so yes. What is down for longer has `Undelivered` in the log.",
        ),
        ("ben", "Good. Then I have nothing to add."),
    ):
        await people[user_id].reply(room, root, said, in_thread=True)
    picture = io.BytesIO()
    _chart().save(picture, "PNG")
    file = await chiara.upload(picture.getvalue(), name="deliveries-per-minute.png", content_type="image/png")
    await chiara.send(room, "Deliveries since the fix, by the minute:", files=[file])
    card = LinkCard(
        "https://status.example.org/4.2",
        title="Release 4.2",
        description="What changed, what to do before you upgrade, and whom to ask.",
    )
    sent = await daniel.send(room, "The notes are up: https://status.example.org/4.2", cards=[card])
    await amara.pin(room, sent.seq)
    edited = (await amara.send(room, "I tag it at three.")).seq
    await amara.edit(room, edited, "I tag it at four, when @elif is back.")
    await amara.mark_read(room, edited)
    await ben.send(room, "@amara one question about the second number in the table:")
    await ben.send(
        room,
        "| Attempt | Waits | In all |\n| --- | ---: | ---: |\n"
        "| 1 | 1 s | 1 s |\n| 2 | 2 s | 3 s |\n| 3 | 4 s | 7 s |",
    )
    return root, edited


async def _last(client: Client, room: str) -> int:
    return (await client.room(room)).last_seq


async def _kept(amara: Client, ben: Client, room: str, root: int) -> None:
    """What Amara has put aside, and what others have asked of her."""
    await amara.save_message(room, root)
    later = datetime.now(UTC) + timedelta(days=1)
    await amara.schedule(room, "Thank you all. 4.2 is out.", later)
    await amara.report(room, root + 1, "Only to see how this looks")
    await amara.create_access_token("Backup of the log")
    await amara.create_bot("amara.reminder", display_name="Reminder")
    await amara.create_invite(room, max_uses=3)
    await amara.create_server_invite(max_uses=5)
    private = await ben.create_room("Surprise for Grace", topic="Her ten years")
    await amara.update_profile(adding="nobody")
    await ben.add_member(private.room_id, ME, reason="You know her best")


def _chart() -> Image.Image:
    """Bars, the last of them taller."""
    picture = Image.new("RGB", (720, 360), "#f5f6f6")
    draw = ImageDraw.Draw(picture)
    for number, height in enumerate((90, 120, 104, 132, 96, 88, 110, 230, 246, 262, 250, 270)):
        left = 36 + number * 55
        colour = "#0b665d" if number > 6 else "#9db8b4"
        draw.rectangle((left, 320 - height, left + 36, 320), fill=colour)
    draw.line((24, 320, 696, 320), fill="#5a646a", width=2)
    return picture
