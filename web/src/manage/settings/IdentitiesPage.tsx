import { useSession } from "../../app/context";
import { Button } from "../../ui/Button";
import { showToast } from "../../ui/toasts";
import type { Identity } from "../../wire/chat_pb";
import { formatMoment, words } from "../../words";
import { confirm } from "../kit/confirm";
import { LoadedView } from "../kit/LoadedView";
import { Page, Row } from "../kit/Page";
import { toTime } from "../kit/times";
import { useLoaded } from "../kit/useLoaded";

const text = words.manage.settings.identities;

/** The accounts elsewhere that the user logs in with. */
export function IdentitiesPage() {
  const { calls } = useSession();
  const identities = useLoaded(
    async (signal) => (await calls.auth.listIdentities({}, { signal })).identities,
    [],
  );

  const unlink = (identity: Identity) =>
    confirm({
      title: text.unlinkTitle(labelOf(identity)),
      effects: <p>{text.unlinkEffect}</p>,
      option: { label: text.evenLast, hint: text.evenLastHint },
      action: text.unlink,
      danger: true,
      run: async ({ option }) => {
        await calls.auth.unlinkIdentity({ identityId: identity.identityId, evenLast: option });
        showToast(text.unlinked(labelOf(identity)));
        identities.reload();
      },
    });

  return (
    <Page title={words.manage.settings.pages.identities} lead={text.lead}>
      <LoadedView loaded={identities}>
        {(found) =>
          found.length === 0 ? (
            <p class="paged-list__empty">{text.empty}</p>
          ) : (
            <ul class="paged-list__rows" aria-label={text.list}>
              {found.map((identity) => (
                <li key={identity.identityId} class="paged-list__row">
                  <IdentityRow identity={identity} onUnlink={() => unlink(identity)} />
                </li>
              ))}
            </ul>
          )
        }
      </LoadedView>
    </Page>
  );
}

export function IdentityRow({
  identity,
  onUnlink,
}: {
  readonly identity: Identity;
  readonly onUnlink: () => void;
}) {
  const since = toTime(identity.createTime);
  return (
    <Row
      title={labelOf(identity)}
      detail={[
        identity.subject,
        since !== undefined && text.since(formatMoment(since)),
        identity.providers.length === 0 && text.gone,
      ]}
      actions={
        <Button size="small" onClick={onUnlink}>
          {text.unlink}
        </Button>
      }
    />
  );
}

export function labelOf(identity: Identity): string {
  return identity.label || identity.issuer;
}
