import { useSession } from "../../app/context";
import { Button } from "../../ui/Button";
import { showToast } from "../../ui/toasts";
import type { Session } from "../../wire/chat_pb";
import { manageWords } from "../../words/manage";
import { confirm } from "../kit/confirm";
import { Row, Section } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { usePaged } from "../kit/usePaged";
import { isLogin, nameOf, sessionFacts } from "../settings/SessionsPage";

const text = manageWords.admin.user;

interface UserSessionsProps {
  readonly userId: string;
  readonly name: string;
  readonly onEnded: () => void;
}

/** Where an account is logged in, its access tokens included. */
export function UserSessions({ userId, name, onEnded }: UserSessionsProps) {
  const { calls } = useSession();
  const sessions = usePaged<Session>(
    async (pageToken, signal) => {
      const answer = await calls.admin.listUserSessions({ userId, pageToken }, { signal });
      return { items: answer.sessions, next: answer.nextPageToken };
    },
    idOf,
    [userId],
  );
  const end = (session: Session) =>
    confirm({
      title: text.endTitle(nameOf(session)),
      effects: <p>{text.endEffect}</p>,
      action: text.end,
      danger: true,
      run: async () => {
        await calls.admin.revokeUserSessions({ userId, sessionIds: [session.sessionId] });
        sessions.drop(session);
        showToast(text.ended(nameOf(session)));
        onEnded();
      },
    });
  const endAll = () =>
    confirm({
      title: text.endAllTitle(name),
      effects: <p>{text.endAllEffect}</p>,
      action: text.endAll,
      danger: true,
      run: async () => {
        const answer = await calls.admin.revokeUserSessions({ userId, all: true });
        showToast(text.endedAll(answer.revokedSessions));
        await sessions.reload();
        onEnded();
      },
    });
  return (
    <Section
      title={text.sessions}
      actions={sessions.items.value.length > 1 && <Button onClick={endAll}>{text.endAll} …</Button>}
    >
      <PagedList paged={sessions} keyOf={idOf} label={text.sessions} empty={text.noSessions}>
        {(session) => (
          <Row
            title={nameOf(session)}
            badges={[!isLogin(session) && text.token]}
            detail={sessionFacts(session)}
            actions={
              <Button size="small" aria-label={text.endTitle(nameOf(session))} onClick={() => end(session)}>
                {text.end}
              </Button>
            }
          />
        )}
      </PagedList>
    </Section>
  );
}

function idOf(session: Session): string {
  return session.sessionId;
}
