'use client';
import { TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';

interface Props {
  label: string;
  value: string;
  onSearch: (search: string) => void;
}

/** Searches once typing rests. `value` may also change from outside, when the browser goes back. */
export const SearchField = ({ label, value, onSearch }: Props) => {
  const [text, setText] = useState(value);
  const handedOn = useRef(value);
  const search = useDebouncedCallback((typed: string) => {
    if (typed === handedOn.current) return;
    handedOn.current = typed;
    onSearch(typed);
  }, 250);
  useEffect(() => {
    // Our own change coming back must not undo what has been typed since.
    if (value === handedOn.current) return;
    handedOn.current = value;
    setText(value);
  }, [value]);
  return (
    <TextInput
      aria-label={label}
      placeholder={label}
      leftSection={<IconSearch size={16} />}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        search(event.currentTarget.value.trim());
      }}
      flex={1}
      miw="12rem"
      maw="24rem"
    />
  );
};
