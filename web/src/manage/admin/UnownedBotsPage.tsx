import { useEffect, useState } from "preact/hooks";
import { useSession } from "../../app/context";
import { Avatar } from "../../ui/Avatar";
import { Button } from "../../ui/Button";
import type { UserRecord } from "../../wire/chat_pb";
import { manageWords } from "../../words/manage";
import { Page, Row } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { usePaged } from "../kit/usePaged";
import { AssignBotDialog } from "./AssignBotDialog";

const text = manageWords.admin.bots;

/** The bots whose owners are blocked: among all accounts, because the server has no list of them. */
export function UnownedBotsPage() {
  const { calls } = useSession();
  const [chosen, setChosen] = useState<UserRecord>();
  const bots = usePaged<UserRecord>(
    async (pageToken, signal) => {
      const answer = await calls.admin.listUsers({ pageToken, pageSize: 500 }, { signal });
      return { items: answer.users.filter((record) => record.ownerBlocked), next: answer.nextPageToken };
    },
    idOf,
    [],
  );
  const next = bots.next.value;
  const loading = bots.loading.value;
  useEffect(() => {
    if (next && !loading && !bots.error.value) void bots.more();
  }, [next, loading]);
  return (
    <Page title={manageWords.admin.pages.bots} lead={text.lead}>
      <PagedList paged={bots} keyOf={idOf} label={text.list} empty={text.empty}>
        {(record) => (
          <Row
            lead={<Avatar userId={idOf(record)} name={record.user?.displayName ?? ""} />}
            title={record.user?.displayName || idOf(record)}
            badges={[record.blockedItself && manageWords.admin.users.blocked]}
            detail={[
              idOf(record),
              record.user?.ownerUserId && text.ownedBy(record.user.ownerUserId),
              record.endedTokens > 0 && text.ended(record.endedTokens),
            ]}
            actions={
              <Button size="small" onClick={() => setChosen(record)}>
                {text.assign}
              </Button>
            }
          />
        )}
      </PagedList>
      {next && <p role="status">{text.searching}</p>}
      {chosen && (
        <AssignBotDialog
          botId={idOf(chosen)}
          onAssigned={() => bots.drop(chosen)}
          onClose={() => setChosen(undefined)}
        />
      )}
    </Page>
  );
}

function idOf(record: UserRecord): string {
  return record.user?.userId ?? "";
}
