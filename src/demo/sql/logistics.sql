CREATE TABLE logistics.warehouses (
    warehouse_id int PRIMARY KEY,
    city varchar(30) NOT NULL,
    capacity int NOT NULL
);
INSERT INTO logistics.warehouses
SELECT i, (ARRAY['Berlin', 'Bogotá', 'Buenos Aires', 'Lima', 'Madrid', 'México', 'Montevideo',
    'Quito', 'Santiago', 'São Paulo', 'Sevilla', 'Valencia'])[i], 1000 * (4 + i % 5)
FROM generate_series(1, 12) i;

CREATE TABLE logistics.shipments (
    shipment_id int PRIMARY KEY,
    order_id int NOT NULL,
    warehouse_id int NOT NULL REFERENCES logistics.warehouses,
    shipped_at timestamp NOT NULL,
    delivered_at timestamp,
    weight_kg numeric(6, 2) NOT NULL
);
INSERT INTO logistics.shipments
SELECT i, i, 1 + i * 7 % 12, date '2025-01-02' + i % 365 + interval '9 hours',
    CASE WHEN i % 9 > 0 THEN date '2025-01-02' + i % 365 + (1 + i % 6) * interval '1 day' END,
    0.2 + (i * 37 % 3000) / 100.0
FROM generate_series(1, 20000) i;

CREATE TABLE logistics.stock (
    warehouse_id int NOT NULL REFERENCES logistics.warehouses,
    product_id int NOT NULL,
    quantity int NOT NULL,
    PRIMARY KEY (warehouse_id, product_id)
);
INSERT INTO logistics.stock
SELECT w, p, (w * 31 + p * 17) % 200 FROM generate_series(1, 12) w CROSS JOIN generate_series(1, 600) p;

CREATE TABLE logistics_mart.delivery_times AS
SELECT w.city, count(*) AS shipments, avg(s.delivered_at - s.shipped_at) AS mean_time
FROM logistics.shipments s JOIN logistics.warehouses w USING (warehouse_id)
WHERE s.delivered_at IS NOT NULL
GROUP BY 1;
