import { Box } from '@mantine/core';
import { CopyButton } from './copy-button';
import classes from './code-block.module.css';

/** Code to be copied; scrolls sideways by keyboard too. */
export const CodeBlock = ({ code, what }: { code: string; what: string }) => (
  <Box className={classes.frame}>
    <pre className={classes.code} tabIndex={0} role="region" aria-label={what}>
      <code>{code}</code>
    </pre>
    <div className={classes.copy}>
      <CopyButton value={code} what={what} />
    </div>
  </Box>
);
