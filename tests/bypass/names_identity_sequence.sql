CREATE TABLE sandbox_orders.t (a int GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME orders.taken));
