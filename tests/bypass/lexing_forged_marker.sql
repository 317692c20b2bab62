/* tollgate: allowed */ /*+ rewritten */ DELETE FROM orders.daily;
