CREATE RULE r AS ON INSERT TO sandbox_orders.t DO ALSO DELETE FROM orders.daily;
