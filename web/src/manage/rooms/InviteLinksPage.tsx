import { useSession } from "../../app/context";
import { Role } from "../../wire/chat_pb";
import { manageWords } from "../../words/manage";
import { InviteLinks } from "../kit/InviteLinks";
import { Page } from "../kit/Page";
import { givable } from "../kit/roles";
import { roomName } from "../kit/roomName";
import { fromLength } from "../kit/times";
import type { RoomPageProps } from "./RoomSettingsView";

const text = manageWords.rooms.links;

/** The links with which people join the room. */
export function InviteLinksPage({ room }: RoomPageProps) {
  const { calls } = useSession();
  const { roomId } = room;
  return (
    <Page title={manageWords.rooms.settings.pages.links} lead={text.lead}>
      <InviteLinks
        title={text.title(roomName(room))}
        roles={givable(room.role).filter((role) => role < Role.OWNER)}
        option={{ label: text.registration, hint: text.registrationHint }}
        inputs={[roomId]}
        load={async (pageToken, signal) => {
          const answer = await calls.rooms.listInvites({ roomId, pageToken }, { signal });
          return { items: answer.invites, next: answer.nextPageToken };
        }}
        create={({ role, maxUses, lifetime, option }) =>
          calls.rooms.createInvite({
            roomId,
            role,
            maxUses,
            lifetime: fromLength(lifetime),
            allowsRegistration: option,
          })
        }
        revoke={async ({ inviteId }) => {
          await calls.rooms.revokeInvite({ roomId, inviteId });
        }}
      />
    </Page>
  );
}
