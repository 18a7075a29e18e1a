import { useState } from "preact/hooks";
import { useSession } from "../../app/context";
import { roomPath } from "../../app/paths";
import { Button } from "../../ui/Button";
import { Select } from "../../ui/Field";
import { showToast } from "../../ui/toasts";
import { NotificationLevel, type Notifications, type Room } from "../../wire/chat_pb";
import { toChatError } from "../../wire/errors";
import { formatMoment } from "../../words";
import { manageWords } from "../../words/manage";
import { errorText } from "../kit/Form";
import { Notice } from "../kit/Notice";
import { Page, Row, Section } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { RoomIcon } from "../kit/RoomIcon";
import { roomName } from "../kit/roomName";
import { toTime } from "../kit/times";
import { usePaged } from "../kit/usePaged";

const text = manageWords.settings.notifications;

const LEVELS = [
  { value: String(NotificationLevel.ALL), label: text.levels.all },
  { value: String(NotificationLevel.MENTIONS), label: text.levels.mentions },
  { value: String(NotificationLevel.NOTHING), label: text.levels.nothing },
];

/** What the user is notified of: in each room, and by this browser. */
export function NotificationsPage() {
  const { calls } = useSession();
  const rooms = usePaged<Room>(
    async (pageToken, signal) => {
      const answer = await calls.rooms.listRooms({ pageToken, pageSize: 100 }, { signal });
      return { items: answer.rooms, next: answer.nextPageToken };
    },
    (room) => room.roomId,
    [],
  );
  return (
    <Page title={manageWords.settings.pages.notifications} lead={text.lead}>
      <Section title={text.browser}>
        <ThisBrowser />
      </Section>
      <Section title={text.list}>
        <PagedList paged={rooms} keyOf={(room) => room.roomId} label={text.list} empty={text.empty}>
          {(room) => <RoomRow room={room} onChanged={(changed) => rooms.put(changed)} />}
        </PagedList>
      </Section>
    </Page>
  );
}

function RoomRow({ room, onChanged }: { readonly room: Room; readonly onChanged: (room: Room) => void }) {
  const { calls } = useSession();
  const notifications = room.notifications;
  const level = notifications?.level || NotificationLevel.ALL;
  const muted = notifications?.muted ?? false;

  const change = async (what: { level: NotificationLevel } | { muted: boolean }) => {
    const before = room;
    if (notifications) onChanged({ ...room, notifications: { ...notifications, ...what } as Notifications });
    try {
      const paths = Object.keys(what);
      const answer = await calls.rooms.updateNotifications({
        roomId: room.roomId,
        ...what,
        updateMask: { paths },
      });
      if (answer.notifications) onChanged({ ...room, notifications: answer.notifications });
    } catch (thrown) {
      onChanged(before);
      showToast(errorText(toChatError(thrown)), { tone: "danger" });
    }
  };

  const until = toTime(notifications?.muteEndTime);
  return (
    <Row
      lead={<RoomIcon room={room} />}
      title={<a href={roomPath(room.roomId)}>{roomName(room)}</a>}
      badges={[muted && (until === undefined ? text.muted : text.mutedUntil(formatMoment(until)))]}
      actions={
        <>
          <Select
            label={text.level(roomName(room))}
            hideLabel
            choices={LEVELS}
            value={String(level)}
            onValue={(value) => void change({ level: Number(value) })}
          />
          <Button size="small" aria-pressed={muted} onClick={() => void change({ muted: !muted })}>
            {muted ? text.unmute : text.mute}
          </Button>
        </>
      }
    />
  );
}

function ThisBrowser() {
  const supported = "Notification" in globalThis;
  const [permission, setPermission] = useState(supported ? Notification.permission : "denied");
  if (!supported) return <p>{text.unsupported}</p>;
  if (permission === "granted") return <p>{text.allowed}</p>;
  if (permission === "denied") return <Notice>{text.denied}</Notice>;
  const ask = async () => setPermission(await Notification.requestPermission());
  return (
    <>
      <p>{text.askLead}</p>
      <div class="page__actions">
        <Button onClick={() => void ask()}>{text.ask}</Button>
      </div>
    </>
  );
}
