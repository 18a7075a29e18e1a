import { LANGUAGE } from "../../words";
import { DAY, HOUR, MINUTE } from "./times";

const UNITS = [
  { unit: "day", size: DAY },
  { unit: "hour", size: HOUR },
  { unit: "minute", size: MINUTE },
  { unit: "second", size: 1000 },
] as const;

/** A length of time as people say it, in the largest unit that fits: "90 minutes", "7 days". */
export function lengthText(length: number): string {
  const { unit, size } = UNITS.find((each) => length >= each.size && length % each.size === 0) ?? UNITS[3];
  const format = new Intl.NumberFormat(LANGUAGE, {
    style: "unit",
    unit,
    unitDisplay: "long",
    maximumFractionDigits: 1,
  });
  return format.format(length / size);
}
