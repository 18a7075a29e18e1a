import { useSession } from "../../app/context";
import { Checkbox, Field, Select, TextArea } from "../../ui/Field";
import { showToast } from "../../ui/toasts";
import { Receipts, Role, type Room, RoomKind } from "../../wire/chat_pb";
import { words } from "../../words";
import { manageWords } from "../../words/manage";
import { FormView, useForm } from "../kit/FormView";
import { lengthText } from "../kit/lengths";
import { Notice } from "../kit/Notice";
import { Page, Section } from "../kit/Page";
import { roomName } from "../kit/roomName";
import { DAY, fromLength, HOUR, MINUTE, toLength } from "../kit/times";
import { HISTORIES, POSTINGS } from "./CreateRoomDialog";
import { RoomEnd } from "./RoomEnd";
import type { RoomPageProps } from "./RoomSettingsView";

const text = manageWords.rooms.settings;

const SLOW_MODES = [5_000, 10_000, 30_000, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR];
const EDIT_WINDOWS = [5 * MINUTE, 15 * MINUTE, HOUR, DAY, 7 * DAY];

/** What of a form each field of a room is, by the name that the update's mask has for it. */
const MASKS = {
  name: "name",
  topic: "topic",
  history: "history",
  posting: "posting",
  slowMode: "slow_mode",
  editWindow: "edit_window",
  keepEdits: "keep_edits",
  receipts: "receipts",
} as const;

/** A room's name, topic and rules, and its end. */
export function GeneralPage({ room, onChanged }: RoomPageProps) {
  const { calls } = useSession();
  const form = useForm(valuesOf(room), { ROOM_EXISTS: "name" });
  const values = form.values.value;
  const errors = form.errors.value;
  const direct = room.kind === RoomKind.DIRECT;
  const admin = room.role >= Role.ADMIN && !room.archiveTime && !direct;
  const owner = room.role === Role.OWNER && admin;

  const save = async (changed: typeof values) => {
    const paths = form.changes().map((key) => MASKS[key]);
    const answer = await calls.rooms.updateRoom({
      room: {
        roomId: room.roomId,
        name: changed.name.trim(),
        topic: changed.topic.trim(),
        history: changed.history,
        posting: changed.posting,
        keepEdits: changed.keepEdits,
        receipts: changed.receipts,
        ...(changed.slowMode > 0 && { slowMode: fromLength(changed.slowMode) }),
        ...(changed.editWindow > 0 && { editWindow: fromLength(changed.editWindow) }),
      },
      updateMask: { paths },
    });
    if (!answer.room) return;
    form.reset(valuesOf(answer.room));
    // The answer has less of a room than GetRoom: what does not change with settings stays.
    onChanged({ ...answer.room, pins: room.pins, ...(room.readMarker && { readMarker: room.readMarker }) });
    showToast(manageWords.kit.saved);
  };

  return (
    <Page title={roomName(room)} lead={kindName(room)}>
      {room.archiveTime && <Notice>{text.archivedNow}</Notice>}
      {!direct && (
        <FormView form={form} onSubmit={save} submit={words.common.save} onlyChanged>
          {!admin && !room.archiveTime && <Notice>{text.notAllowed}</Notice>}
          <Field
            label={text.name}
            error={errors.name}
            value={values.name}
            disabled={!admin}
            autoComplete="off"
            onValue={(value) => form.set("name", value)}
          />
          <TextArea
            label={text.topic}
            error={errors.topic}
            value={values.topic}
            disabled={!admin}
            onValue={(value) => form.set("topic", value)}
          />
          <Select
            label={text.posting}
            error={errors.posting}
            choices={POSTINGS}
            value={String(values.posting)}
            disabled={!admin}
            onValue={(value) => form.set("posting", Number(value))}
          />
          <Select
            label={text.history}
            hint={admin && !owner ? text.historyOwners : undefined}
            error={errors.history}
            choices={HISTORIES}
            value={String(values.history)}
            disabled={!owner}
            onValue={(value) => form.set("history", Number(value))}
          />
          <div class="form-view__row">
            <Select
              label={text.slowMode}
              hint={text.slowModeHint}
              error={errors.slowMode}
              choices={lengthChoices(SLOW_MODES, values.slowMode, text.slowModes.off, text.slowModes.other)}
              value={String(values.slowMode)}
              disabled={!admin}
              onValue={(value) => form.set("slowMode", Number(value))}
            />
            <Select
              label={text.editWindow}
              error={errors.editWindow}
              choices={lengthChoices(
                EDIT_WINDOWS,
                values.editWindow,
                text.editWindows.always,
                text.editWindows.for,
              )}
              value={String(values.editWindow)}
              disabled={!admin}
              onValue={(value) => form.set("editWindow", Number(value))}
            />
          </div>
          <Select
            label={text.receipts}
            error={errors.receipts}
            choices={[
              { value: String(Receipts.OFF), label: text.receiptsOf.off },
              { value: String(Receipts.MEMBERS), label: text.receiptsOf.members },
              { value: String(Receipts.SENDERS), label: text.receiptsOf.senders },
            ]}
            value={String(values.receipts)}
            disabled={!admin}
            onValue={(value) => form.set("receipts", Number(value))}
          />
          <Checkbox
            label={text.keepEdits}
            hint={text.keepEditsHint}
            checked={values.keepEdits}
            disabled={!admin}
            onChecked={(on) => form.set("keepEdits", on)}
          />
        </FormView>
      )}
      {!direct && (
        <Section title={text.end}>
          <RoomEnd room={room} onChanged={onChanged} />
        </Section>
      )}
    </Page>
  );
}

function valuesOf(room: Room) {
  return {
    name: room.name,
    topic: room.topic,
    history: room.history,
    posting: room.posting,
    slowMode: toLength(room.slowMode) ?? 0,
    editWindow: toLength(room.editWindow) ?? 0,
    keepEdits: room.keepEdits,
    receipts: room.receipts || Receipts.OFF,
  };
}

/** The usual lengths, and the one that somebody has set elsewhere. */
function lengthChoices(
  usual: readonly number[],
  now: number,
  none: string,
  some: (length: string) => string,
) {
  const lengths = [...new Set(now > 0 ? [...usual, now] : usual)].sort((one, other) => one - other);
  return [
    { value: "0", label: none },
    ...lengths.map((length) => ({ value: String(length), label: some(lengthText(length)) })),
  ];
}

function kindName(room: Room): string {
  const { kinds, members } = manageWords.rooms;
  if (room.kind === RoomKind.DIRECT) return kinds.direct;
  return `${room.kind === RoomKind.PUBLIC ? kinds.public : kinds.private} · ${members(room.memberCount)}`;
}
