import { useSession } from "../../app/context";
import { goToIssuer } from "../../app/issuer";
import { settingsPath } from "../../app/paths";
import { Button } from "../../ui/Button";
import { showToast } from "../../ui/toasts";
import type { Identity } from "../../wire/chat_pb";
import { formatMoment } from "../../words";
import { manageWords } from "../../words/manage";
import { confirm } from "../kit/confirm";
import { useForm } from "../kit/FormView";
import { LoadedView } from "../kit/LoadedView";
import { Notice } from "../kit/Notice";
import { Page, Row } from "../kit/Page";
import { toTime } from "../kit/times";
import { useLoaded } from "../kit/useLoaded";

const text = manageWords.settings.identities;

/** The accounts elsewhere that the user logs in with. */
export function IdentitiesPage() {
  const { calls } = useSession();
  const identities = useLoaded(
    async (signal) => (await calls.auth.listIdentities({}, { signal })).identities,
    [],
  );
  const providers = useLoaded(
    async (signal) => (await calls.auth.getServerInfo({}, { signal })).providers,
    [],
  );
  const form = useForm({});
  // The browser leaves for the issuer, and comes back here.
  const link = (provider: string) =>
    goToIssuer(calls, provider, { purpose: "link", to: settingsPath("identities") });

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
    <Page title={manageWords.settings.pages.identities} lead={text.lead}>
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
      <LoadedView loaded={providers}>
        {(found) =>
          found.length === 0 ? (
            <p class="page__lead">{text.noProviders}</p>
          ) : (
            <>
              <div class="page__actions">
                {found.map(({ name, label }) => (
                  <Button
                    key={name}
                    busy={form.busy.value}
                    onClick={() => void form.submit(() => link(name))}
                  >
                    {text.link(label || name)}
                  </Button>
                ))}
              </div>
              {form.failure.value && <Notice tone="danger">{form.failure.value}</Notice>}
            </>
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
