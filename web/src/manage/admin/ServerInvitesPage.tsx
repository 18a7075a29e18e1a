import { useSession } from "../../app/context";
import { manageWords } from "../../words/manage";
import { InviteLinks } from "../kit/InviteLinks";
import { Page } from "../kit/Page";
import { fromLength } from "../kit/times";

const text = manageWords.admin.invites;

/** The links with which people register. */
export function ServerInvitesPage() {
  const { calls } = useSession();
  return (
    <Page title={manageWords.admin.pages.invites} lead={text.lead}>
      <InviteLinks
        title={text.title}
        roles={[]}
        option={{ label: text.makesAdmin, hint: text.makesAdminHint }}
        inputs={[]}
        load={async (pageToken, signal) => {
          const answer = await calls.admin.listServerInvites({ pageToken }, { signal });
          return { items: answer.invites, next: answer.nextPageToken };
        }}
        create={({ maxUses, lifetime, option }) =>
          calls.admin.createServerInvite({ maxUses, lifetime: fromLength(lifetime), makesAdmin: option })
        }
        revoke={async ({ inviteId }) => {
          await calls.admin.revokeServerInvite({ inviteId });
        }}
      />
    </Page>
  );
}
