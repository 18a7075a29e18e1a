import type { ComponentType } from "preact";
import { useSession } from "../../app/context";
import { roomPanelPath, roomPath } from "../../app/paths";
import { FlagIcon, InboxIcon, LinkIcon, LockIcon, PeopleIcon, SettingsIcon } from "../../ui/icons";
import { Role, type Room, RoomKind } from "../../wire/chat_pb";
import { manageWords } from "../../words/manage";
import { LoadedView } from "../kit/LoadedView";
import { ManageRoot } from "../kit/ManageRoot";
import { Notice } from "../kit/Notice";
import { Alone, Pages } from "../kit/Page";
import { roomName } from "../kit/roomName";
import { useLoaded } from "../kit/useLoaded";
import { BansPage } from "./BansPage";
import { GeneralPage } from "./GeneralPage";
import { InviteLinksPage } from "./InviteLinksPage";
import { MembersPage } from "./MembersPage";
import { ReportsPage } from "./ReportsPage";
import { RoomInvitationsPage } from "./RoomInvitationsPage";

export interface RoomPageProps {
  readonly room: Room;
  /** The room after a change. */
  readonly onChanged: (room: Room) => void;
}

interface Entry {
  readonly key: keyof typeof manageWords.rooms.settings.pages;
  readonly icon: ComponentType;
  readonly page: ComponentType<RoomPageProps>;
  /** Whether only admins and owners may see it. */
  readonly admins: boolean;
}

const ENTRIES: readonly Entry[] = [
  { key: "general", icon: SettingsIcon, page: GeneralPage, admins: false },
  { key: "members", icon: PeopleIcon, page: MembersPage, admins: false },
  { key: "invitations", icon: InboxIcon, page: RoomInvitationsPage, admins: true },
  { key: "links", icon: LinkIcon, page: InviteLinksPage, admins: true },
  { key: "bans", icon: LockIcon, page: BansPage, admins: true },
  { key: "reports", icon: FlagIcon, page: ReportsPage, admins: true },
];

/** `/rooms/:roomId/settings` and `/rooms/:roomId/settings/:section`. */
export function RoomSettingsView({ params }: { readonly params: Readonly<Record<string, string>> }) {
  const roomId = params.roomId ?? "";
  return <RoomSettings key={roomId} roomId={roomId} section={params.section} />;
}

/** `/rooms/:roomId/members`. */
export function RoomMembersView({ params }: { readonly params: Readonly<Record<string, string>> }) {
  return <RoomSettingsView params={{ ...params, section: "members" }} />;
}

function RoomSettings({
  roomId,
  section,
}: {
  readonly roomId: string;
  readonly section: string | undefined;
}) {
  const { calls } = useSession();
  const loaded = useLoaded(
    async (signal) => (await calls.rooms.getRoom({ roomId }, { signal })).room ?? null,
    [roomId],
  );
  const text = manageWords.rooms.settings;
  return (
    <ManageRoot>
      <LoadedView loaded={loaded}>
        {(room) => {
          if (!room || room.role === Role.UNSPECIFIED)
            return (
              <Alone>
                <Notice>{text.notAMember}</Notice>
              </Alone>
            );
          const admin = room.role >= Role.ADMIN && room.kind !== RoomKind.DIRECT;
          const entries = ENTRIES.filter((entry) => admin || !entry.admins);
          const shown = entries.find((entry) => entry.key === section) ?? entries[0];
          if (!shown) return null;
          const Shown = shown.page;
          const links = entries.map(({ key, icon: Icon }) => ({
            key,
            label: text.pages[key],
            icon: <Icon />,
          }));
          return (
            <Pages
              title={text.title}
              base={roomPanelPath(roomId, "settings")}
              groups={[{ links }]}
              chosen={section}
              shown={shown.key}
              back={{ href: roomPath(roomId), label: roomName(room) }}
            >
              <Shown key={shown.key} room={room} onChanged={loaded.set} />
            </Pages>
          );
        }}
      </LoadedView>
    </ManageRoot>
  );
}
