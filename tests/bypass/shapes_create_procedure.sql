CREATE PROCEDURE sandbox_orders.p() AS $$ BEGIN DELETE FROM orders.daily; END $$ LANGUAGE plpgsql;
CALL sandbox_orders.p();
