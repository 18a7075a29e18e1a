import { useState } from "preact/hooks";
import { useSession } from "../../app/context";
import { Avatar } from "../../ui/Avatar";
import { Button } from "../../ui/Button";
import { PlusIcon } from "../../ui/icons";
import { showToast } from "../../ui/toasts";
import type { Ban } from "../../wire/chat_pb";
import { formatMoment } from "../../words";
import { manageWords } from "../../words/manage";
import { FormDialog } from "../kit/FormDialog";
import { useForm } from "../kit/FormView";
import { Notice } from "../kit/Notice";
import { Page, Row } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { roomName } from "../kit/roomName";
import { toTime } from "../kit/times";
import { usePaged } from "../kit/usePaged";
import type { RoomPageProps } from "./RoomSettingsView";

const text = manageWords.rooms.bans;
const { people } = manageWords.rooms;

/** Those who may not join the room. */
export function BansPage({ room }: RoomPageProps) {
  const { calls } = useSession();
  const [adding, setAdding] = useState(false);
  const { roomId } = room;
  const bans = usePaged<Ban>(
    async (pageToken, signal) => {
      const answer = await calls.rooms.listBans({ roomId, pageToken }, { signal });
      return { items: answer.bans, next: answer.nextPageToken };
    },
    idOf,
    [roomId],
  );
  const add = async ({ userId, reason }: { userId: string; reason: string }) => {
    await calls.rooms.banMember({ roomId, userId: userId.trim(), reason: reason.trim() });
    showToast(people.banned(userId.trim()));
    await bans.reload();
  };
  return (
    <Page
      title={manageWords.rooms.settings.pages.bans}
      lead={text.lead}
      actions={
        <Button onClick={() => setAdding(true)}>
          <PlusIcon />
          {text.add}
        </Button>
      }
    >
      <PagedList paged={bans} keyOf={idOf} label={text.list} empty={text.empty}>
        {(ban) => <BanRow roomId={roomId} ban={ban} onEnded={() => bans.drop(ban)} />}
      </PagedList>
      {adding && (
        <FormDialog
          title={`${text.add}: ${roomName(room)}`}
          lead={`${text.addLead} ${people.banEffect}`}
          submit={people.banIt}
          tone="danger"
          initial={{ userId: "", reason: "" }}
          places={{ USER_NOT_FOUND: "userId", PERMISSION_DENIED: "userId" }}
          fields={{
            userId: { label: manageWords.kit.userId, plain: true },
            reason: { label: manageWords.kit.optionalReason, hint: people.reasonHint },
          }}
          onSubmit={add}
          onClose={() => setAdding(false)}
        />
      )}
    </Page>
  );
}

interface BanRowProps {
  readonly roomId: string;
  readonly ban: Ban;
  readonly onEnded: () => void;
}

function BanRow({ roomId, ban, onEnded }: BanRowProps) {
  const { calls } = useSession();
  const form = useForm({});
  const userId = idOf(ban);
  const name = ban.user?.displayName || userId;
  const made = toTime(ban.createTime);
  const end = async () => {
    await calls.rooms.unbanMember({ roomId, userId });
    onEnded();
    showToast(text.ended(name));
  };
  return (
    <>
      <Row
        lead={<Avatar userId={userId} name={name} />}
        title={name}
        detail={[userId, made !== undefined && text.by(ban.bannedByUserId, formatMoment(made)), ban.reason]}
        actions={
          <Button
            size="small"
            busy={form.busy.value}
            aria-label={`${text.end}: ${name}`}
            onClick={() => void form.submit(end)}
          >
            {text.end}
          </Button>
        }
      />
      {form.failure.value && <Notice tone="danger">{form.failure.value}</Notice>}
    </>
  );
}

function idOf(ban: Ban): string {
  return ban.user?.userId ?? "";
}
