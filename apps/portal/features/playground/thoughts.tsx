'use client';
import { useState } from 'react';
import { CopyButton } from '@/ui/copy-button';
import classes from './playground.module.css';

interface Props {
  text: string;
  /** More may come: nothing of the answer is there yet. */
  thinking: boolean;
}

/** What the model thought before it answered: open while it thinks, folded away once it answers, unless its reader chose. */
export const Thoughts = ({ text, thinking }: Props) => {
  const [chosen, setChosen] = useState<boolean | null>(null);
  const open = chosen ?? thinking;
  return (
    <details className={classes.thoughts} open={open}>
      {/* React owns `open`: the browser's own toggle would be undone with the next token. */}
      <summary
        className={classes.thoughtsHead}
        onClick={(event) => {
          event.preventDefault();
          setChosen(!open);
        }}
      >
        {thinking ? 'Thinking …' : 'Thoughts'}
      </summary>
      {/* Not read out as it comes, as the answer is: who wants it opens it and reads. */}
      <div className={classes.thoughtsText} aria-live="off">
        {text}
        {thinking && <span className={classes.caret} aria-hidden />}
      </div>
      {!thinking && <CopyButton value={text} what="thoughts" />}
    </details>
  );
};
