 ;; -- nothing
/* at all */
