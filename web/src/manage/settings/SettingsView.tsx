import type { ComponentType } from "preact";
import { useSession } from "../../app/context";
import { adminPath, settingsPath } from "../../app/paths";
import {
  AdminIcon,
  BellIcon,
  BotIcon,
  ClockIcon,
  EyeIcon,
  InboxIcon,
  KeyIcon,
  LinkIcon,
  LockIcon,
  PersonIcon,
  SmileIcon,
  WarningIcon,
} from "../../ui/icons";
import { manageWords } from "../../words/manage";
import { isAdmin } from "../admin/isAdmin";
import { ManageRoot } from "../kit/ManageRoot";
import { type PageGroup, Pages } from "../kit/Page";
import { useLoaded } from "../kit/useLoaded";
import { AppearancePage } from "./AppearancePage";
import { BlocksPage } from "./BlocksPage";
import { BotsPage } from "./BotsPage";
import { IdentitiesPage } from "./IdentitiesPage";
import { InvitationsPage } from "./InvitationsPage";
import { NotificationsPage } from "./NotificationsPage";
import { PasswordPage } from "./PasswordPage";
import { ProfilePage } from "./ProfilePage";
import { SessionsPage } from "./SessionsPage";
import { StatusPage } from "./StatusPage";
import { TokensPage } from "./TokensPage";

interface Entry {
  readonly key: keyof typeof manageWords.settings.pages;
  readonly group: keyof typeof manageWords.settings.groups;
  readonly icon: ComponentType;
  readonly page: ComponentType;
  /** Whether it is about accounts, which servers with trusted ids do not have. */
  readonly account: boolean;
}

const ENTRIES: readonly Entry[] = [
  { key: "profile", group: "you", icon: PersonIcon, page: ProfilePage, account: true },
  { key: "status", group: "you", icon: SmileIcon, page: StatusPage, account: false },
  { key: "invitations", group: "you", icon: InboxIcon, page: InvitationsPage, account: false },
  { key: "notifications", group: "you", icon: BellIcon, page: NotificationsPage, account: false },
  { key: "appearance", group: "you", icon: EyeIcon, page: AppearancePage, account: false },
  { key: "blocks", group: "you", icon: WarningIcon, page: BlocksPage, account: true },
  { key: "password", group: "account", icon: LockIcon, page: PasswordPage, account: true },
  { key: "identities", group: "account", icon: LinkIcon, page: IdentitiesPage, account: true },
  { key: "sessions", group: "account", icon: ClockIcon, page: SessionsPage, account: true },
  { key: "tokens", group: "programs", icon: KeyIcon, page: TokensPage, account: true },
  { key: "bots", group: "programs", icon: BotIcon, page: BotsPage, account: true },
];

/** `/settings` and `/settings/:section`. */
export function SettingsView({ params }: { readonly params: Readonly<Record<string, string>> }) {
  const { identity, calls } = useSession();
  const text = manageWords.settings;
  const admin = useLoaded(async (signal) => identity.kind === "cookie" && (await isAdmin(calls, signal)), []);
  const entries = ENTRIES.filter((entry) => !entry.account || identity.kind === "cookie");
  const shown = entries.find((entry) => entry.key === params.section) ?? entries[0];
  if (!shown) return null;
  const groups: PageGroup[] = [...new Set(entries.map((entry) => entry.group))].map((group) => ({
    label: text.groups[group],
    links: entries
      .filter((entry) => entry.group === group)
      .map(({ key, icon: Icon }) => ({ key, label: text.pages[key], icon: <Icon /> })),
  }));
  if (admin.value)
    groups.push({
      label: text.groups.server,
      links: [{ key: "admin", label: manageWords.admin.title, icon: <AdminIcon />, href: adminPath() }],
    });
  const Shown = shown.page;
  return (
    <ManageRoot>
      <Pages
        title={text.title}
        base={settingsPath()}
        groups={groups}
        chosen={params.section}
        shown={shown.key}
      >
        <Shown key={shown.key} />
      </Pages>
    </ManageRoot>
  );
}
