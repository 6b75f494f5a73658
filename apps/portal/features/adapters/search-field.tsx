'use client';
import { TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useTypedValue } from '@/ui/use-typed-value';

interface Props {
  label: string;
  value: string;
  onSearch: (search: string) => void;
}

/** Searches once typing rests. `value` may also change from outside, when the browser goes back. */
export const SearchField = ({ label, value, onSearch }: Props) => {
  const { text, setText, handOn } = useTypedValue(value, 250, onSearch);
  return (
    <TextInput
      aria-label={label}
      placeholder={label}
      leftSection={<IconSearch size={16} />}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        handOn(event.currentTarget.value.trim());
      }}
      flex={1}
      miw="12rem"
      maw="24rem"
    />
  );
};
