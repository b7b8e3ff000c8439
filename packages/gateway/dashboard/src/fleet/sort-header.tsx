import { query, setQuery } from '../router.js';

interface SortHeaderProps {
  /** As the API has it. */
  readonly sort: 'name' | 'id' | 'createdAt' | 'seenAt';
  readonly name: string;
  /** The latest first. */
  readonly startsDown?: boolean;
}

/** A column header that sorts. */
export function SortHeader({ sort, name, startsDown = false }: SortHeaderProps) {
  const isSorted = (query.value.get('sort') ?? 'name') === sort;
  const isDown = isSorted && query.value.get('order') === 'down';
  const change = () => {
    const down = isSorted ? !isDown : startsDown;
    setQuery({ sort: sort === 'name' ? '' : sort, order: down ? 'down' : '' }, true);
  };
  return (
    <th scope="col" aria-sort={isSorted ? (isDown ? 'descending' : 'ascending') : 'none'}>
      <button type="button" class="sort" onClick={change}>
        {name} <span aria-hidden="true">{isSorted ? (isDown ? '↓' : '↑') : ''}</span>
      </button>
    </th>
  );
}
