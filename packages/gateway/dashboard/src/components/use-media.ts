import { useEffect, useState } from 'preact/hooks';

/** Whether a media query holds. */
export function useMedia(text: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(text).matches);
  useEffect(() => {
    const list = matchMedia(text);
    const change = () => setMatches(list.matches);
    change();
    list.addEventListener('change', change);
    return () => list.removeEventListener('change', change);
  }, [text]);
  return matches;
}
