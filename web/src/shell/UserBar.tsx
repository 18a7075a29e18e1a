import { useState } from "preact/hooks";
import { useChat } from "../app/chat";
import { useSession } from "../app/context";
import { chooseLook, look, THEMES } from "../app/look";
import { personPath, settingsPath } from "../app/paths";
import { Avatar } from "../ui/Avatar";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import {
  AdminIcon,
  CheckIcon,
  KeyboardIcon,
  MoreIcon,
  PeopleIcon,
  SettingsIcon,
  SignOutIcon,
} from "../ui/icons";
import { navigate } from "../ui/location";
import { Menu } from "../ui/Menu";
import { showError } from "../ui/toasts";
import { words } from "../words";
import { ConnectionMark } from "./ConnectionLine";
import { openKeys } from "./KeysHelp";
import "./UserBar.css";

const text = words.shell;

/** Who is signed in, whether the server is reached, and the way to all that is about neither a room nor a message. */
export function UserBar() {
  const chat = useChat();
  const { userId, signOut } = useSession();
  const [asks, setAsks] = useState(false);
  const me = chat.me.value;
  const name = me?.displayName ?? userId;
  const waiting = chat.outbox.value.length;

  const leave = () => signOut().catch((error) => showError(error));
  return (
    <div class="user-bar">
      <a class="user-bar__me" href={personPath(userId)}>
        <Avatar userId={userId} name={name} />
        <span class="user-bar__text">
          <span class="user-bar__name truncate">
            <bdi>{name}</bdi>
          </span>
          <ConnectionMark />
        </span>
      </a>
      <Menu
        label={text.menu}
        icon={<MoreIcon />}
        items={[
          { label: text.settings, icon: <SettingsIcon />, onSelect: () => navigate(settingsPath()) },
          { label: text.people, icon: <PeopleIcon />, onSelect: () => navigate("/people") },
          { label: text.admin, icon: <AdminIcon />, onSelect: () => navigate("/admin") },
          { label: text.keys, icon: <KeyboardIcon />, onSelect: openKeys },
          "separator",
          ...THEMES.map((one) => ({
            label: text.theme[one],
            icon: one === look.value.theme && <CheckIcon />,
            checked: one === look.value.theme,
            onSelect: () => chooseLook({ theme: one }),
          })),
          "separator",
          {
            label: text.signOut,
            icon: <SignOutIcon />,
            onSelect: () => (waiting > 0 ? setAsks(true) : leave()),
          },
        ]}
      />
      {asks && (
        <Dialog
          title={text.signOut}
          onClose={() => setAsks(false)}
          actions={
            <>
              <Button onClick={() => setAsks(false)}>{words.common.cancel}</Button>
              <Button variant="danger" onClick={leave}>
                {text.signOutAnyway}
              </Button>
            </>
          }
        >
          <p>{text.signOutWaiting(waiting)}</p>
        </Dialog>
      )}
    </div>
  );
}
