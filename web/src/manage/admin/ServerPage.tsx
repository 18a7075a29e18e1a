import { useSession } from "../../app/context";
import { type GetServerInfoResponse, Registration } from "../../wire/chat_pb";
import { formatList } from "../../words";
import { manageWords } from "../../words/manage";
import { LoadedView } from "../kit/LoadedView";
import { Page } from "../kit/Page";
import { useLoaded } from "../kit/useLoaded";

const text = manageWords.admin.server;

/** What the API tells of the server. */
export function ServerPage() {
  const { calls } = useSession();
  const info = useLoaded((signal) => calls.auth.getServerInfo({}, { signal }), []);
  return (
    <Page title={manageWords.admin.pages.server} lead={text.lead}>
      <LoadedView loaded={info}>
        {(found) => (
          <dl class="facts">
            {factsOf(found).map(([term, value]) => (
              <div key={term} class="facts__fact">
                <dt>{term}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        )}
      </LoadedView>
      <p class="page__lead">{text.storage}</p>
    </Page>
  );
}

function factsOf(info: GetServerInfoResponse): [string, string][] {
  const { facts, registration, passwords } = text;
  const who =
    info.registration === Registration.OPEN
      ? registration.open
      : info.registration === Registration.INVITE
        ? registration.invite
        : registration.closed;
  return [
    [facts.version, info.version],
    [facts.registration, who],
    [facts.password, info.passwordLogin ? passwords.on : passwords.off],
    [
      facts.providers,
      formatList(info.providers.map((provider) => provider.label || provider.name)) || text.none,
    ],
    [facts.address, info.publicAddress || text.unknown],
  ];
}
