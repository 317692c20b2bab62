CREATE SYNONYM sandbox_orders.s FOR orders.daily; DELETE FROM sandbox_orders.s;
