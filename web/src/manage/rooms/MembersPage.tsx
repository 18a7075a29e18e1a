import { useState } from "preact/hooks";
import { useSession } from "../../app/context";
import { personPath } from "../../app/paths";
import { Avatar } from "../../ui/Avatar";
import { Button } from "../../ui/Button";
import { Field, Select } from "../../ui/Field";
import { MoreIcon, PlusIcon } from "../../ui/icons";
import { navigate } from "../../ui/location";
import { Menu, type MenuItem } from "../../ui/Menu";
import { showToast } from "../../ui/toasts";
import { type Member, Role, type Room, RoomKind, UserKind } from "../../wire/chat_pb";
import { formatMoment } from "../../words";
import { manageWords } from "../../words/manage";
import { confirm } from "../kit/confirm";
import { FormDialog } from "../kit/FormDialog";
import { RadioGroup } from "../kit/FormView";
import { Page, Row } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { givable, outranks, roleHint, roleName } from "../kit/roles";
import { roomName } from "../kit/roomName";
import { toTime } from "../kit/times";
import { usePaged } from "../kit/usePaged";
import { writeDirectly } from "../people/writeDirectly";
import type { RoomPageProps } from "./RoomSettingsView";

const text = manageWords.rooms.people;

type Open = { readonly what: "add" } | { readonly what: "role"; readonly member: Member };

/** A room's members, and what admins and owners do with them. */
export function MembersPage({ room, onChanged }: RoomPageProps) {
  const { calls } = useSession();
  const [filter, setFilter] = useState("");
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  const { roomId } = room;
  const direct = room.kind === RoomKind.DIRECT;
  const mayAdd = room.role >= Role.ADMIN && !room.archiveTime && !direct;
  const members = usePaged<Member>(
    async (pageToken, signal) => {
      const answer = await calls.rooms.listMembers({ roomId, pageToken, pageSize: 200 }, { signal });
      return { items: answer.members, next: answer.nextPageToken };
    },
    idOf,
    [roomId],
  );

  const add = async ({ userId, role, reason }: { userId: string; role: Role; reason: string }) => {
    const answer = await calls.rooms.addMember({
      roomId,
      userId: userId.trim(),
      role,
      reason: reason.trim(),
    });
    if (answer.member) {
      members.put(answer.member);
      onChanged({ ...room, memberCount: room.memberCount + 1 });
      showToast(text.added(nameOf(answer.member)));
    } else showToast(text.invited(userId.trim()));
  };

  const change =
    (member: Member) =>
    async ({ role, reason }: { role: Role; reason: string }) => {
      const request = { roomId, userId: idOf(member), role, reason: reason.trim() };
      const answer = await calls.rooms.setMemberRole(request);
      if (answer.member) members.put(answer.member);
      showToast(
        answer.invitation
          ? text.ownerOffered(nameOf(member))
          : text.roleChanged(nameOf(member), roleName(role)),
      );
      if (answer.member?.user?.userId === member.user?.userId && answer.member) onOwnRole(answer.member);
    };

  const { userId: me } = useSession();
  const onOwnRole = (member: Member) => {
    if (idOf(member) === me) onChanged({ ...room, role: member.role });
  };

  const remove = (member: Member) =>
    confirm({
      title: text.removeTitle(nameOf(member), roomName(room)),
      effects: <p>{room.kind === RoomKind.PUBLIC ? text.removePublic : text.removePrivate}</p>,
      reason: { label: manageWords.kit.optionalReason, hint: text.reasonHint },
      action: text.removeIt,
      danger: true,
      run: async ({ reason }) => {
        await calls.rooms.removeMember({ roomId, userId: idOf(member), reason });
        members.drop(member);
        onChanged({ ...room, memberCount: room.memberCount - 1 });
        showToast(text.removed(nameOf(member)));
      },
    });

  const ban = (member: Member) =>
    confirm({
      title: text.banTitle(nameOf(member), roomName(room)),
      effects: <p>{text.banEffect}</p>,
      reason: { label: manageWords.kit.optionalReason, hint: text.reasonHint },
      action: text.banIt,
      danger: true,
      run: async ({ reason }) => {
        await calls.rooms.banMember({ roomId, userId: idOf(member), reason });
        // Their bots go with them, so the list is another.
        members.drop(member);
        void members.reload();
        onChanged({ ...room, memberCount: room.memberCount - 1 });
        showToast(text.banned(nameOf(member)));
      },
    });

  const itemsFor = (member: Member): (MenuItem | "separator")[] => {
    const self = idOf(member) === me;
    const items: (MenuItem | "separator")[] = [
      { label: text.card, onSelect: () => navigate(personPath(idOf(member))) },
    ];
    if (!self) items.push({ label: text.write, onSelect: () => void writeDirectly(calls, idOf(member)) });
    if (direct) return items;
    const above = outranks(room.role, member.role);
    // Everybody may lower their own role.
    if (above || (self && room.role > Role.READER))
      items.push({ label: text.role, onSelect: () => setOpen({ what: "role", member }) });
    if (above && !self)
      items.push(
        "separator",
        { label: text.remove, danger: true, onSelect: () => remove(member) },
        { label: text.ban, danger: true, onSelect: () => ban(member) },
      );
    return items;
  };

  const wanted = filter.trim().toLocaleLowerCase();
  const shows = (member: Member) =>
    [idOf(member), member.user?.displayName ?? ""].some((name) => name.toLocaleLowerCase().includes(wanted));

  return (
    <Page
      title={manageWords.rooms.settings.pages.members}
      lead={manageWords.rooms.members(room.memberCount)}
      actions={
        mayAdd && (
          <Button variant="primary" onClick={() => setOpen({ what: "add" })}>
            <PlusIcon />
            {text.add}
          </Button>
        )
      }
    >
      {(members.items.value.length > 8 || filter) && (
        <search class="form-view">
          <Field label={text.filter} type="search" value={filter} autoComplete="off" onValue={setFilter} />
        </search>
      )}
      {wanted && members.next.value === "" && !members.items.value.some(shows) && (
        <p class="paged-list__empty" role="status">
          {text.none}
        </p>
      )}
      <PagedList
        paged={members}
        keyOf={idOf}
        label={text.list}
        empty={text.empty}
        shows={wanted ? shows : undefined}
      >
        {(member) => <MemberRow member={member} self={idOf(member) === me} items={itemsFor(member)} />}
      </PagedList>
      {open?.what === "add" && (
        <FormDialog
          title={text.addTitle(roomName(room))}
          lead={text.addLead}
          submit={text.addIt}
          initial={{ userId: "", role: Role.MEMBER as Role, reason: "" }}
          places={{ USER_NOT_FOUND: "userId", NOT_ACCEPTED: "userId", BANNED: "userId" }}
          fields={{
            userId: { label: manageWords.kit.userId, plain: true },
            reason: { label: manageWords.kit.optionalReason, hint: text.reasonHint },
          }}
          onSubmit={add}
          onClose={close}
        >
          {(form) => (
            <Select
              label={text.addRole}
              error={form.errors.value.role}
              choices={givable(room.role)
                .filter((role) => role < Role.OWNER)
                .map((role) => ({ value: String(role), label: roleName(role) }))}
              value={String(form.values.value.role)}
              onValue={(value) => form.set("role", Number(value))}
            />
          )}
        </FormDialog>
      )}
      {open?.what === "role" && (
        <RoleDialog
          room={room}
          member={open.member}
          self={idOf(open.member) === me}
          onSubmit={change(open.member)}
          onClose={close}
        />
      )}
    </Page>
  );
}

interface MemberRowProps {
  readonly member: Member;
  readonly self: boolean;
  readonly items: readonly (MenuItem | "separator")[];
}

function MemberRow({ member, self, items }: MemberRowProps) {
  const joined = toTime(member.joinTime);
  return (
    <Row
      lead={<Avatar userId={idOf(member)} name={member.user?.displayName ?? ""} />}
      title={nameOf(member)}
      badges={[
        member.role !== Role.MEMBER && roleName(member.role),
        self && text.you,
        member.user?.kind === UserKind.BOT && text.bot,
        member.blocked && text.blocked,
      ]}
      detail={[idOf(member), joined !== undefined && text.joined(formatMoment(joined))]}
      actions={<Menu label={text.more(nameOf(member))} icon={<MoreIcon />} items={items} />}
    />
  );
}

interface RoleDialogProps {
  readonly room: Room;
  readonly member: Member;
  readonly self: boolean;
  readonly onSubmit: (values: { role: Role; reason: string }) => Promise<void>;
  readonly onClose: () => void;
}

function RoleDialog({ room, member, self, onSubmit, onClose }: RoleDialogProps) {
  const roles = givable(room.role).filter((role) => !self || role <= member.role);
  const choices = (roles.includes(member.role) ? roles : [...roles, member.role]).map((role) => ({
    value: role,
    label: roleName(role),
    hint:
      role === Role.OWNER && role !== member.role ? `${roleHint(role)} ${text.ownerHint}` : roleHint(role),
  }));
  return (
    <FormDialog
      title={text.roleTitle(nameOf(member))}
      lead={self ? text.lowerSelf : undefined}
      submit={text.roleIt}
      initial={{ role: member.role, reason: "" }}
      places={{ LAST_OWNER: "role" }}
      onSubmit={onSubmit}
      onClose={onClose}
    >
      {(form) => (
        <>
          <RadioGroup
            label={text.addRole}
            name="role"
            choices={choices}
            value={form.values.value.role}
            onValue={(role) => form.set("role", role)}
            error={form.errors.value.role}
          />
          <Field
            label={manageWords.kit.optionalReason}
            hint={text.reasonHint}
            error={form.errors.value.reason}
            value={form.values.value.reason}
            onValue={(value) => form.set("reason", value)}
          />
        </>
      )}
    </FormDialog>
  );
}

function idOf(member: Member): string {
  return member.user?.userId ?? "";
}

function nameOf(member: Member): string {
  return member.user?.displayName || idOf(member);
}
