import { useState } from "preact/hooks";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Checkbox, Field, Select } from "../../ui/Field";
import { PlusIcon } from "../../ui/icons";
import { showToast } from "../../ui/toasts";
import { type Invite, Role } from "../../wire/chat_pb";
import { formatMoment, formatRelative, words } from "../../words";
import { manageWords } from "../../words/manage";
import { confirm } from "./confirm";
import { FormView, useForm } from "./FormView";
import { Notice } from "./Notice";
import { Row } from "./Page";
import type { LoadPage } from "./Paged";
import { PagedList } from "./PagedList";
import { roleName } from "./roles";
import { Secret } from "./Secret";
import { DAY, HOUR, toTime } from "./times";
import { usePaged } from "./usePaged";

const text = manageWords.rooms.links;

type Lifetime = keyof typeof text.lifetimes;

const LIFETIMES: Record<Lifetime, number> = {
  hour: HOUR,
  day: DAY,
  week: 7 * DAY,
  month: 30 * DAY,
  year: 365 * DAY,
};

export interface NewInvite {
  readonly role: Role;
  readonly maxUses: number;
  /** In milliseconds. */
  readonly lifetime: number;
  readonly option: boolean;
}

interface InviteLinksProps {
  readonly title: string;
  readonly load: LoadPage<Invite>;
  readonly create: (
    invite: NewInvite,
  ) => Promise<{ readonly invite?: Invite | undefined; readonly code: string }>;
  readonly revoke: (invite: Invite) => Promise<void>;
  /** The roles that a link may give; none for links that lead to no room. */
  readonly roles: readonly Role[];
  readonly option: { readonly label: string; readonly hint: string };
  readonly inputs: readonly unknown[];
}

/** Invites as links: those that there are, and the button that makes one. */
export function InviteLinks(props: InviteLinksProps) {
  const { load, revoke, inputs } = props;
  const [open, setOpen] = useState(false);
  const invites = usePaged<Invite>(load, idOf, inputs);

  const end = (invite: Invite) =>
    confirm({
      title: text.revokeTitle,
      effects: <p>{text.revokeEffect}</p>,
      action: text.revoke,
      danger: true,
      run: async () => {
        await revoke(invite);
        invites.drop(invite);
        showToast(text.revoked);
      },
    });

  return (
    <>
      <div class="page__actions">
        <Button variant="primary" onClick={() => setOpen(true)}>
          <PlusIcon />
          {text.create}
        </Button>
      </div>
      <PagedList paged={invites} keyOf={idOf} label={text.list} empty={text.empty}>
        {(invite) => <InviteRow invite={invite} onRevoke={() => end(invite)} />}
      </PagedList>
      {open && <NewLink {...props} onMade={(invite) => invites.put(invite)} onClose={() => setOpen(false)} />}
    </>
  );
}

function InviteRow({ invite, onRevoke }: { readonly invite: Invite; readonly onRevoke: () => void }) {
  const made = toTime(invite.createTime);
  const ends = toTime(invite.expireTime);
  return (
    <Row
      title={text.used(invite.uses, invite.maxUses)}
      badges={[
        invite.role !== Role.UNSPECIFIED && text.asRole(roleName(invite.role)),
        invite.allowsRegistration && invite.roomId !== "" && text.registers,
        invite.makesAdmin && text.admins,
      ]}
      detail={[
        made !== undefined && text.by(invite.createdByUserId, formatMoment(made)),
        ends !== undefined && manageWords.kit.expires(formatRelative(ends)),
      ]}
      actions={
        <Button size="small" onClick={onRevoke}>
          {text.revoke}
        </Button>
      }
    />
  );
}

function NewLink(
  props: InviteLinksProps & { readonly onMade: (invite: Invite) => void; readonly onClose: () => void },
) {
  const { title, create, roles, option, onMade, onClose } = props;
  const [code, setCode] = useState<string>();
  const form = useForm(
    { role: Role.MEMBER as Role, lifetime: "week" as Lifetime, maxUses: "", option: false },
    { allows_registration: "option", makes_admin: "option" },
  );
  const values = form.values.value;
  const errors = form.errors.value;

  const make = async (wanted: typeof values) => {
    const maxUses = wanted.maxUses.trim() === "" ? 0 : Number(wanted.maxUses);
    if (!Number.isInteger(maxUses) || maxUses < 0) return form.refuse("maxUses", text.wholeNumber);
    const answer = await create({ ...wanted, maxUses, lifetime: LIFETIMES[wanted.lifetime] });
    if (answer.invite) onMade(answer.invite);
    setCode(answer.code);
  };

  if (code !== undefined)
    return (
      <Dialog
        title={title}
        onClose={onClose}
        actions={
          <Button variant="primary" onClick={onClose}>
            {text.done}
          </Button>
        }
      >
        <div class="form-view">
          <Notice tone="warning">{text.once}</Notice>
          <Secret label={text.made} value={linkOf(code)} />
        </div>
      </Dialog>
    );
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{words.common.cancel}</Button>
          <Button type="submit" form="new-link" variant="primary" busy={form.busy.value}>
            {text.create}
          </Button>
        </>
      }
    >
      <FormView id="new-link" form={form} onSubmit={make} submit={text.create}>
        <Select
          label={text.lifetime}
          error={errors.lifetime}
          choices={Object.entries(text.lifetimes).map(([value, label]) => ({ value, label }))}
          value={values.lifetime}
          onValue={(value) => form.set("lifetime", value as Lifetime)}
        />
        <Field
          label={text.uses}
          error={errors.maxUses}
          placeholder={text.anyNumber}
          inputMode="numeric"
          value={values.maxUses}
          onValue={(value) => form.set("maxUses", value)}
        />
        {roles.length > 0 && (
          <Select
            label={text.role}
            error={errors.role}
            choices={roles.map((role) => ({ value: String(role), label: roleName(role) }))}
            value={String(values.role)}
            onValue={(value) => form.set("role", Number(value))}
          />
        )}
        <Checkbox
          label={option.label}
          hint={option.hint}
          checked={values.option}
          onChecked={(on) => form.set("option", on)}
        />
        {errors.option && (
          <p class="field__error" role="alert">
            {errors.option}
          </p>
        )}
      </FormView>
    </Dialog>
  );
}

/** What stands behind the `#` is sent to no server. */
export function linkOf(code: string): string {
  return `${location.origin}/#${code}`;
}

function idOf(invite: Invite): string {
  return invite.inviteId;
}
