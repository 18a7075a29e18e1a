import { useSession } from "../../app/context";
import { Avatar } from "../../ui/Avatar";
import { Button } from "../../ui/Button";
import { showToast } from "../../ui/toasts";
import type { Invitation } from "../../wire/chat_pb";
import { formatMoment } from "../../words";
import { manageWords } from "../../words/manage";
import { useForm } from "../kit/FormView";
import { Notice } from "../kit/Notice";
import { Page, Row } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { roleName } from "../kit/roles";
import { toTime } from "../kit/times";
import { usePaged } from "../kit/usePaged";
import type { RoomPageProps } from "./RoomSettingsView";

const text = manageWords.rooms.invitations;

/** Those who have been invited by name and have not answered. */
export function RoomInvitationsPage({ room: { roomId } }: RoomPageProps) {
  const { calls } = useSession();
  const invitations = usePaged<Invitation>(
    async (pageToken, signal) => {
      const answer = await calls.rooms.listRoomInvitations({ roomId, pageToken }, { signal });
      return { items: answer.invitations, next: answer.nextPageToken };
    },
    idOf,
    [roomId],
  );
  return (
    <Page title={manageWords.rooms.settings.pages.invitations} lead={text.lead}>
      <PagedList paged={invitations} keyOf={idOf} label={text.list} empty={text.empty}>
        {(each) => <InvitedRow invitation={each} onWithdrawn={() => invitations.drop(each)} />}
      </PagedList>
    </Page>
  );
}

function InvitedRow({
  invitation,
  onWithdrawn,
}: {
  readonly invitation: Invitation;
  readonly onWithdrawn: () => void;
}) {
  const { calls } = useSession();
  const form = useForm({});
  const userId = idOf(invitation);
  const name = invitation.user?.displayName || userId;
  const by = invitation.invitedBy;
  const made = toTime(invitation.createTime);
  const withdraw = async () => {
    await calls.rooms.withdrawInvitation({ roomId: invitation.roomId, userId });
    onWithdrawn();
    showToast(text.withdrawn(name));
  };
  return (
    <>
      <Row
        lead={<Avatar userId={userId} name={name} />}
        title={name}
        badges={[roleName(invitation.role)]}
        detail={[
          userId,
          by && made !== undefined && text.by(by.displayName || by.userId, formatMoment(made)),
          invitation.reason,
        ]}
        actions={
          <Button
            size="small"
            busy={form.busy.value}
            aria-label={`${text.withdraw}: ${name}`}
            onClick={() => void form.submit(withdraw)}
          >
            {text.withdraw}
          </Button>
        }
      />
      {form.failure.value && <Notice tone="danger">{form.failure.value}</Notice>}
    </>
  );
}

function idOf(invitation: Invitation): string {
  return invitation.user?.userId ?? "";
}
