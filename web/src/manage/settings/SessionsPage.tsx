import { useEffect } from "preact/hooks";
import { useSession } from "../../app/context";
import { Button } from "../../ui/Button";
import { showToast } from "../../ui/toasts";
import { type Session, SessionKind } from "../../wire/chat_pb";
import { formatMoment, formatRelative } from "../../words";
import { manageWords } from "../../words/manage";
import { confirm } from "../kit/confirm";
import { Page, Row, Section } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { toTime } from "../kit/times";
import { useLoaded } from "../kit/useLoaded";
import { usePaged } from "../kit/usePaged";

const text = manageWords.settings.sessions;

/** The user's logins, with the one of this browser marked. */
export function SessionsPage() {
  const { calls, signOut } = useSession();
  const me = useLoaded((signal) => calls.auth.getMe({}, { signal }), []);
  const here = me.value?.session?.sessionId;
  const sessions = usePaged<Session>(
    async (pageToken, signal) => {
      const answer = await calls.auth.listSessions({ pageToken }, { signal });
      return { items: answer.sessions.filter(isLogin), next: answer.nextPageToken };
    },
    (session) => session.sessionId,
    [],
  );
  // Pages hold access tokens too: one without a login would leave an empty list behind.
  useEffect(() => {
    if (sessions.items.value.length < 2 && sessions.next.value) void sessions.more();
  }, [sessions.items.value.length, sessions.next.value]);

  const end = (session: Session) =>
    confirm({
      title: text.endTitle(nameOf(session)),
      effects: <p>{text.endEffect}</p>,
      action: text.end,
      danger: true,
      run: async () => {
        await calls.auth.revokeSessions({ sessionIds: [session.sessionId] });
        sessions.drop(session);
        showToast(text.ended(nameOf(session)));
      },
    });

  const endOthers = () =>
    confirm({
      title: text.endOthersTitle,
      effects: <p>{text.endOthersEffect}</p>,
      action: text.endOthers,
      danger: true,
      run: async () => {
        const answer = await calls.auth.revokeSessions({ allOthers: true });
        showToast(text.endedOthers(answer.revokedSessions));
        await sessions.reload();
      },
    });

  const endAll = () =>
    confirm({
      title: text.signOutEverywhereTitle,
      effects: <p>{text.signOutEverywhereEffect}</p>,
      action: text.signOutEverywhere,
      danger: true,
      run: async () => {
        // The others first: without this session nothing can be ended.
        await calls.auth.revokeSessions({ allOthers: true });
        await signOut();
      },
    });

  return (
    <Page
      title={manageWords.settings.pages.sessions}
      lead={text.lead}
      actions={<Button onClick={endOthers}>{text.endOthers}</Button>}
    >
      <PagedList paged={sessions} keyOf={(session) => session.sessionId} label={text.list} empty={text.empty}>
        {(session) => (
          <Row
            title={nameOf(session)}
            badges={[session.sessionId === here && text.here]}
            detail={sessionFacts(session)}
            actions={
              session.sessionId !== here && (
                <Button size="small" aria-label={text.endTitle(nameOf(session))} onClick={() => end(session)}>
                  {text.end}
                </Button>
              )
            }
          />
        )}
      </PagedList>
      <Section title={text.signOut}>
        <div class="page__actions">
          <Button onClick={() => void signOut()}>{text.signOut}</Button>
          <Button onClick={endAll}>{text.signOutEverywhere}</Button>
        </div>
      </Section>
    </Page>
  );
}

/** What there is to say of a login or a token besides its name. */
export function sessionFacts(session: Session): (string | false)[] {
  const began = toTime(session.createTime);
  const used = toTime(session.lastUsedTime);
  const ends = toTime(session.expireTime);
  return [
    began !== undefined &&
      (isLogin(session)
        ? text.began(formatMoment(began))
        : manageWords.settings.tokens.created(formatMoment(began))),
    used !== undefined && text.used(formatRelative(used)),
    ends !== undefined && manageWords.kit.expires(formatRelative(ends)),
  ];
}

export function isLogin(session: Session): boolean {
  return session.kind !== SessionKind.ACCESS_TOKEN;
}

export function nameOf(session: Session): string {
  return session.deviceName || text.unnamed;
}
