ALTER VIEW sandbox_orders.v RENAME TO "w"; DELETE FROM sandbox_orders.w;
