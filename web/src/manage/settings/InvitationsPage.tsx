import { useSession } from "../../app/context";
import { roomPath } from "../../app/paths";
import { Button } from "../../ui/Button";
import { Field } from "../../ui/Field";
import { navigate } from "../../ui/location";
import { showToast } from "../../ui/toasts";
import { type Invitation, Role } from "../../wire/chat_pb";
import { formatRelative } from "../../words";
import { manageWords } from "../../words/manage";
import { confirm } from "../kit/confirm";
import { FormView, useForm } from "../kit/FormView";
import { Notice } from "../kit/Notice";
import { Page, Row, Section } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { RoomIcon } from "../kit/RoomIcon";
import { roleName } from "../kit/roles";
import { toTime } from "../kit/times";
import { usePaged } from "../kit/usePaged";

const text = manageWords.settings.invitations;

/** The invitations that wait for the user's answer, and a place for the code of an invite. */
export function InvitationsPage() {
  const { calls } = useSession();
  const invitations = usePaged<Invitation>(
    async (pageToken, signal) => {
      const answer = await calls.rooms.listInvitations({ pageToken }, { signal });
      return { items: answer.invitations, next: answer.nextPageToken };
    },
    idOf,
    [],
  );
  const code = useForm({ inviteCode: "" }, { INVITE_NOT_VALID: "inviteCode" });

  const join = async ({ inviteCode }: { inviteCode: string }) => {
    const answer = await calls.rooms.joinRoom({ inviteCode: codeOf(inviteCode) });
    if (answer.room) navigate(roomPath(answer.room.roomId));
  };

  return (
    <Page title={manageWords.settings.pages.invitations} lead={text.lead}>
      <PagedList paged={invitations} keyOf={idOf} label={text.list} empty={text.empty}>
        {(invitation) => (
          <InvitationRow invitation={invitation} onAnswered={() => invitations.drop(invitation)} />
        )}
      </PagedList>
      <Section title={text.code} lead={text.codeLead}>
        <FormView form={code} onSubmit={join} submit={text.join} onlyChanged>
          <Field
            label={text.codeLabel}
            error={code.errors.value.inviteCode}
            value={code.values.value.inviteCode}
            dir="ltr"
            autoComplete="off"
            autoCapitalize="none"
            spellcheck={false}
            onValue={(value) => code.set("inviteCode", value)}
          />
        </FormView>
      </Section>
    </Page>
  );
}

function InvitationRow({
  invitation,
  onAnswered,
}: {
  readonly invitation: Invitation;
  readonly onAnswered: () => void;
}) {
  const { calls } = useSession();
  const form = useForm({});
  const { roomId, invitedBy, role } = invitation;
  const name = invitation.roomName || roomId;
  const made = toTime(invitation.createTime);

  const accept = async () => {
    await calls.rooms.acceptInvitation({ roomId });
    onAnswered();
    navigate(roomPath(roomId));
  };

  const decline = () =>
    confirm({
      title: text.declineTitle(name),
      effects: <p>{text.declineEffect}</p>,
      action: text.decline,
      run: async () => {
        await calls.rooms.declineInvitation({ roomId });
        onAnswered();
        showToast(text.declined);
      },
    });

  return (
    <>
      <Row
        lead={<RoomIcon room={{ kind: invitation.roomKind }} />}
        title={name}
        badges={[role === Role.OWNER ? text.ownership : role !== Role.MEMBER && text.asRole(roleName(role))]}
        detail={[
          invitation.roomTopic,
          text.members(invitation.roomMemberCount),
          invitedBy && text.from(invitedBy.displayName || invitedBy.userId),
          made !== undefined && formatRelative(made),
          invitation.reason,
        ]}
        actions={
          <>
            <Button
              size="small"
              variant="primary"
              busy={form.busy.value}
              onClick={() => void form.submit(accept)}
            >
              {text.accept}
            </Button>
            <Button size="small" onClick={decline}>
              {text.decline}
            </Button>
          </>
        }
      />
      {form.failure.value && <Notice tone="danger">{form.failure.value}</Notice>}
    </>
  );
}

/** The code in what somebody pasted: all of it, or what stands behind the `#` of a link. */
export function codeOf(pasted: string): string {
  const trimmed = pasted.trim();
  return trimmed.slice(trimmed.indexOf("#") + 1);
}

function idOf(invitation: Invitation): string {
  return invitation.roomId;
}
