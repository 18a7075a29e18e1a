import { useSession } from "../../app/context";
import { showToast } from "../../ui/toasts";
import type { Identity } from "../../wire/chat_pb";
import { manageWords } from "../../words/manage";
import { confirm } from "../kit/confirm";
import { LoadedView } from "../kit/LoadedView";
import { Section } from "../kit/Page";
import { useLoaded } from "../kit/useLoaded";
import { IdentityRow, labelOf } from "../settings/IdentitiesPage";

const text = manageWords.admin.user;
const { identities: own } = manageWords.settings;

/** The accounts elsewhere that an account logs in with. */
export function UserIdentities({
  userId,
  onEnded,
}: {
  readonly userId: string;
  readonly onEnded: () => void;
}) {
  const { calls } = useSession();
  const identities = useLoaded(
    async (signal) => (await calls.admin.listUserIdentities({ userId }, { signal })).identities,
    [userId],
  );
  const unlink = (identity: Identity) =>
    confirm({
      title: own.unlinkTitle(labelOf(identity)),
      effects: <p>{text.unlinkEffect}</p>,
      option: { label: own.evenLastFor, hint: own.evenLastHint },
      action: own.unlink,
      danger: true,
      run: async ({ option }) => {
        await calls.admin.unlinkUserIdentity({ userId, identityId: identity.identityId, evenLast: option });
        showToast(own.unlinked(labelOf(identity)));
        identities.reload();
        onEnded();
      },
    });
  return (
    <Section title={text.identities}>
      <LoadedView loaded={identities}>
        {(found) =>
          found.length === 0 ? (
            <p class="paged-list__empty">{text.noIdentities}</p>
          ) : (
            <ul class="paged-list__rows">
              {found.map((identity) => (
                <li key={identity.identityId} class="paged-list__row">
                  <IdentityRow identity={identity} onUnlink={() => unlink(identity)} />
                </li>
              ))}
            </ul>
          )
        }
      </LoadedView>
    </Section>
  );
}
