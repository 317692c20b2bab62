CREATE TRIGGER t AFTER INSERT ON orders.daily EXECUTE FUNCTION sandbox_orders.f();
