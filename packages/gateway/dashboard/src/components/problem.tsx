/** What is wrong with a form as a whole, or with what a page wanted to show. */
export function Problem({ text, retry }: { readonly text: string | undefined; readonly retry?: () => void }) {
  if (text === undefined) return null;
  return (
    <p class="problem box" role="alert">
      {text}{' '}
      {retry && (
        <button type="button" class="small" onClick={retry}>
          Try again
        </button>
      )}
    </p>
  );
}
