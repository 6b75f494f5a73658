'use client';
import { useDebouncedCallback } from '@mantine/hooks';
import { useEffect, useRef, useState } from 'react';

/**
 * A field's text, which is handed on once typing has rested for `restMs`. `value`, what was handed on last, may also
 * change from outside, as when the browser goes back: the text then follows it.
 */
export const useTypedValue = (value: string, restMs: number, onRest: (value: string) => void) => {
  const [text, setText] = useState(value);
  const handedOn = useRef(value);
  const handOn = useDebouncedCallback((typed: string) => {
    if (typed === handedOn.current) return;
    handedOn.current = typed;
    onRest(typed);
  }, restMs);
  useEffect(() => {
    // Our own change coming back must not undo what has been typed since.
    if (value === handedOn.current) return;
    handedOn.current = value;
    setText(value);
  }, [value]);
  return { text, setText, handOn };
};
