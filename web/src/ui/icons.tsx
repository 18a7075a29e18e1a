import type { ComponentChildren } from "preact";

/** An icon of lines on a grid of 24, as tall as a line of text is. What it stands for is said beside it. */
function Icon({ children, directed }: { readonly children: ComponentChildren; readonly directed: boolean }) {
  return (
    <svg
      class={directed ? "icon--directed" : undefined}
      width="20"
      height="20"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.8"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

const lines = (directed: boolean, paths: readonly string[]) => () => (
  <Icon directed={directed}>
    {paths.map((d) => (
      <path key={d} d={d} />
    ))}
  </Icon>
);

const drawn = (...paths: string[]) => lines(false, paths);

/** It points along the line, and the other way where lines run from right to left. */
const directed = (...paths: string[]) => lines(true, paths);

export const CloseIcon = drawn("M6 6l12 12M18 6L6 18");
export const MoreIcon = () => (
  <svg width="20" height="20" viewBox="0 0 24 24" fill="currentColor" aria-hidden="true">
    <circle cx="5" cy="12" r="1.7" />
    <circle cx="12" cy="12" r="1.7" />
    <circle cx="19" cy="12" r="1.7" />
  </svg>
);
export const SearchIcon = drawn("M11 4a7 7 0 1 0 0 14a7 7 0 0 0 0-14z", "M16 16l4.5 4.5");
export const PlusIcon = drawn("M12 5v14M5 12h14");
export const CheckIcon = drawn("M5 12.5l4.5 4.5L19 7.5");
export const DoubleCheckIcon = drawn("M2 12.5l4.5 4.5L16 7.5", "M11.5 16l1 1L22 7.5");
export const BackIcon = directed("M15 5l-7 7l7 7");
export const ForwardIcon = directed("M9 5l7 7l-7 7");
export const DownIcon = drawn("M5 9l7 7l7-7");
export const UpIcon = drawn("M5 15l7-7l7 7");
export const ToEndIcon = drawn("M12 4v15M6 13l6 6l6-6");
export const SendIcon = directed("M4 12l16-8l-5 16l-3.5-6.5z", "M11.5 13.5L20 4");
export const AttachIcon = drawn(
  "M20 11.5l-8 8a5 5 0 0 1-7-7l8.5-8.5a3.3 3.3 0 0 1 4.7 4.7L9.7 17.2a1.7 1.7 0 0 1-2.4-2.4L15 7",
);
export const SmileIcon = drawn(
  "M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18z",
  "M8.5 14.5a4.5 4.5 0 0 0 7 0",
  "M9 9.5h.01M15 9.5h.01",
);
export const ReplyIcon = directed("M9 6l-5 5l5 5", "M4 11h9a7 7 0 0 1 7 7v1");
export const ThreadIcon = drawn("M5 5h14v10h-8l-4 4v-4H5z", "M9 9h6M9 12h4");
export const PinIcon = drawn("M9 4h6l-1 6l3 3v2H7v-2l3-3z", "M12 15v5");
export const BookmarkIcon = drawn("M7 4h10v16l-5-4l-5 4z");
export const EditIcon = drawn("M4 20l1-4L16 5l3 3L8 19z", "M14 7l3 3");
export const TrashIcon = drawn("M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5");
export const CopyIcon = drawn("M9 9h10v11H9z", "M15 9V4H5v11h4");
export const LinkIcon = drawn(
  "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1",
  "M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
);
export const FlagIcon = drawn("M6 21V4h11l-2.5 4L17 12H6");
export const BellIcon = drawn("M6 17V11a6 6 0 0 1 12 0v6l1.5 1.5h-15z", "M10 21h4");
export const BellOffIcon = drawn(
  "M6 17v-6c0-1 .2-2 .7-2.8M9.5 5.6A6 6 0 0 1 18 11v4M17 18.5H4.5L6 17",
  "M10 21h4",
  "M4 4l16 16",
);
export const HashIcon = drawn("M10 4L8 20M16 4l-2 16M4.5 9h16M3.5 15h16");
export const LockIcon = drawn("M6 11h12v9H6z", "M8.5 11V8a3.5 3.5 0 0 1 7 0v3");
export const PersonIcon = drawn("M12 4a4 4 0 1 0 0 8a4 4 0 0 0 0-8z", "M5 20a7 7 0 0 1 14 0");
export const PeopleIcon = drawn(
  "M9 5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 0 0 0-7z",
  "M2.5 20a6.5 6.5 0 0 1 13 0",
  "M15.5 5.3a3.5 3.5 0 0 1 0 6.4",
  "M18 14.5a6.5 6.5 0 0 1 3.5 5.5",
);
export const BotIcon = drawn("M5 9h14v10H5z", "M12 5v4M9 13v1.5M15 13v1.5", "M12 4.5h.01");
export const SettingsIcon = drawn(
  "M4 7h9M17 7h3M4 17h3M11 17h9",
  "M15 5a2 2 0 1 0 0 4a2 2 0 0 0 0-4z",
  "M9 15a2 2 0 1 0 0 4a2 2 0 0 0 0-4z",
);
export const AdminIcon = drawn(
  "M12 3l7 3v5c0 4.500-3 8-7 10c-4-2-7-5.500-7-10V6z",
  "M9 12l2.200 2.200L15.500 10",
);
export const SignOutIcon = drawn("M14 4H5v16h9", "M10 12h11M17.500 8.500L21 12l-3.500 3.500");
export const InboxIcon = drawn("M4 13l3-8h10l3 8v6H4z", "M4 13h5l1 2.500h4L15 13h5");
export const ClockIcon = drawn("M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18z", "M12 7v5l3.500 2");
export const CalendarIcon = drawn("M5 6h14v14H5z", "M5 10.500h14M9 3.500V7M15 3.500V7");
export const PollIcon = drawn("M5 20V11M12 20V4M19 20v-6");
export const FileIcon = drawn("M6 3h8l4 4v14H6z", "M14 3v4h4");
export const ImageIcon = drawn("M4 5h16v14H4z", "M4 16l5-5l5 5l2.500-2.500L20 17", "M15.500 9h.01");
export const DownloadIcon = drawn("M12 4v11M7 10.500l5 5l5-5", "M5 20h14");
export const EyeIcon = drawn(
  "M2.500 12C5 7.500 8.300 5.500 12 5.500s7 2 9.500 6.500c-2.500 4.500-5.800 6.500-9.500 6.500s-7-2-9.500-6.500z",
  "M12 9.300a2.700 2.700 0 1 0 0 5.400a2.700 2.700 0 0 0 0-5.400z",
);
export const WarningIcon = drawn("M12 4l9 16H3z", "M12 10v4.500M12 17.300h.01");
export const InfoIcon = drawn("M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18z", "M12 11v5.500M12 7.700h.01");
export const ArchiveIcon = drawn("M4 5h16v4H4z", "M5.500 9v10h13V9M10 13h4");
export const ReloadIcon = drawn("M19.500 12a7.500 7.500 0 1 1-2.200-5.300L20 9.500", "M20 4.500v5h-5");
export const KeyboardIcon = drawn("M3 6h18v12H3z", "M7 10h.01M11 10h.01M15 10h.01M18 10h.01M8 14.500h8");
export const StarIcon = drawn(
  "M12 3.500l2.600 5.400l5.900.800l-4.300 4.100l1.100 5.900L12 16.900l-5.300 2.800l1.100-5.900L3.500 9.700l5.900-.800z",
);
export const SortIcon = drawn("M5 7h14M7 12h10M10 17h4");
export const PanelIcon = drawn("M4 5h16v14H4z", "M15 5v14");
export const KeyIcon = drawn(
  "M8 11a4.500 4.500 0 1 0 0 9a4.500 4.500 0 0 0 0-9z",
  "M11.200 12.300L20 3.500M16 7.500l3 3",
);
