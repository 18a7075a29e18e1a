import "./Spinner.css";

/** Something is under way. With a label it is announced; without, what is beside it says so. */
export function Spinner({ label }: { readonly label?: string }) {
  return (
    <span class="spinner" role={label ? "status" : undefined}>
      <span class="spinner__ring" aria-hidden="true" />
      {label && <span class="visually-hidden">{label}</span>}
    </span>
  );
}
