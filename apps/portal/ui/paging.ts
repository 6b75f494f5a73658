interface Paging {
  totalRecords: number;
  recordsPerPage: number;
  page: number;
  onPageChange: (page: number) => void;
  getPaginationControlProps: (control: string) => { 'aria-label': string };
}

/** The table takes all of these or none, which a spread cannot say in types; hence the one assertion. */
const NO_PAGING = {} as Paging;

/** A table's paging, or none while everything fits on one page. */
export const paging = (
  total: number,
  pageSize: number,
  page: number,
  onPageChange: (page: number) => void,
): Paging =>
  total <= pageSize
    ? NO_PAGING
    : {
        totalRecords: total,
        recordsPerPage: pageSize,
        page,
        onPageChange,
        getPaginationControlProps: (control) => ({ 'aria-label': `${control} page` }),
      };
