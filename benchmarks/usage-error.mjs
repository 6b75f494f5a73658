/** The command line asks for something that is not there: its message is all the user needs to see. */
export class UsageError extends Error {}
