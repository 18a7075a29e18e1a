import type { ComponentType } from "preact";
import { useSession } from "../../app/context";
import { adminPath } from "../../app/paths";
import { BotIcon, FlagIcon, HashIcon, InfoIcon, LinkIcon, PeopleIcon } from "../../ui/icons";
import { manageWords } from "../../words/manage";
import { LoadedView } from "../kit/LoadedView";
import { ManageRoot } from "../kit/ManageRoot";
import { Notice } from "../kit/Notice";
import { Alone, Pages } from "../kit/Page";
import { useLoaded } from "../kit/useLoaded";
import { isAdmin } from "./isAdmin";
import { ServerInvitesPage } from "./ServerInvitesPage";
import { ServerPage } from "./ServerPage";
import { ServerReportsPage } from "./ServerReportsPage";
import { UnownedBotsPage } from "./UnownedBotsPage";
import { UnownedRoomsPage } from "./UnownedRoomsPage";
import { UserPage } from "./UserPage";
import { UsersPage } from "./UsersPage";

interface Entry {
  readonly key: keyof typeof manageWords.admin.pages;
  readonly icon: ComponentType;
  readonly page: ComponentType;
}

const ENTRIES: readonly Entry[] = [
  { key: "users", icon: PeopleIcon, page: UsersPage },
  { key: "invites", icon: LinkIcon, page: ServerInvitesPage },
  { key: "reports", icon: FlagIcon, page: ServerReportsPage },
  { key: "rooms", icon: HashIcon, page: UnownedRoomsPage },
  { key: "bots", icon: BotIcon, page: UnownedBotsPage },
  { key: "server", icon: InfoIcon, page: ServerPage },
];

/** `/admin`, `/admin/:section` and `/admin/users/:userId`. */
export function AdminView({ params }: { readonly params: Readonly<Record<string, string>> }) {
  const { calls } = useSession();
  const text = manageWords.admin;
  const allowed = useLoaded((signal) => isAdmin(calls, signal), []);
  const section = params.userId ? "users" : params.section;
  const shown = ENTRIES.find((entry) => entry.key === section) ?? ENTRIES[0];
  if (!shown) return null;
  const Shown = shown.page;
  const links = ENTRIES.map(({ key, icon: Icon }) => ({ key, label: text.pages[key], icon: <Icon /> }));
  return (
    <ManageRoot>
      <LoadedView loaded={allowed}>
        {(yes) =>
          yes ? (
            <Pages
              title={text.title}
              base={adminPath()}
              groups={[{ links }]}
              chosen={section}
              shown={shown.key}
            >
              {params.userId ? (
                <UserPage key={params.userId} userId={params.userId} />
              ) : (
                <Shown key={shown.key} />
              )}
            </Pages>
          ) : (
            <Alone>
              <Notice>{text.notAllowed}</Notice>
            </Alone>
          )
        }
      </LoadedView>
    </ManageRoot>
  );
}
