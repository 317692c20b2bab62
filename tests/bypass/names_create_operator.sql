CREATE OPERATOR sandbox_orders.= (LEFTARG = int, RIGHTARG = int, FUNCTION = sandbox_orders.f);
