#!/usr/bin/python3
"""Makes the input of the order-processing demo: orders.jsonl, stock.json and expected.json.

Run it without arguments to write the three files beside itself, or with `--check` to see that
the files there are what it makes. The same seed always gives the same octets. All people, shops
and numbers are invented; e-mail addresses are in domains kept for examples.

The data is made so that the *result* of processing it is known beforehand, whatever the order in
which workers finish and however often they are killed; expected.json says what it is:
  - A product either has plenty, nothing at all, or is a `limited` edition. A limited edition is
    sold in one currency only, alone in its order, one piece, without a coupon, never with a card
    that is declined. So whoever comes first, the same number of pieces is sold for the same sum.
  - Of lines with the same id the first good one counts; a malformed line does not take its id.
  - Money is in minor units (cents) and integers all the way; README.md has the rules.
"""

import argparse
import datetime
import json
import pathlib
import random
import sys

from order_people import COUNTRIES, NOTES, PEOPLE

SEED = 20260302
LINES = 2000
DUPLICATES = 12
SOLD_OUT_ORDERS = 14
DECLINED_ORDERS = 60
FLAKY_ORDERS = 40
QUANTITY_MAX = 1000

# Last four digits of a card token -> what the payment gateway of the demo does with it.
CARD_DECLINED = "0002"
CARD_EXPIRED = "0069"
CARD_FLAKY = "0119"  # the gateway is unavailable for the first two attempts, then accepts
CARDS_GOOD = ["4242", "4444", "8210", "1117", "3222", "0505", "9424", "7310"]

# code: (decimal digits, units of it for one euro in millionths)
CURRENCIES = {
    "EUR": (2, 1_000_000),
    "USD": (2, 1_087_300),
    "GBP": (2, 853_100),
    "CHF": (2, 951_400),
    "SEK": (2, 11_284_500),
    "PLN": (2, 4_316_900),
    "INR": (2, 90_412_000),
    "BRL": (2, 5_391_700),
    "JPY": (0, 162_730_000),
    "KRW": (0, 1_449_250_000),
}
COUPONS = {"WELCOME10": 10, "SPRING5": 5, "VIP20": 20}
COUPON_UNKNOWN = "SUMMER2019"  # no longer in the table: the order goes on without a discount

# name, price in euro cents; the SKU's letters come from the group.
PRODUCTS = {
    "TEA": [
        ("Sencha, first flush, 100 g", 1490), ("Darjeeling Second Flush, 100 g", 1290),
        ("Rooibos with orange, 250 g", 890), ("Jasmine pearls, 50 g", 1650),
        ("Peppermint, whole leaf, 100 g", 590), ("Oolong Tie Guan Yin, 75 g", 2140),
        ("Masala chai, 200 g", 980), ("Matcha, ceremonial, 30 g", 2990),
        ("Earl Grey with cornflowers, 100 g", 850), ("Pu-erh cake, 357 g", 5400),
    ],
    "CUP": [
        ("Mug “Lovage”, 300 ml", 1350), ("Teacup with saucer, celadon", 2450),
        ("Espresso cup, set of 4", 3200), ("Glass teapot, 1 l", 3990),
        ("Kyusu, side handle, 280 ml", 6400), ("Thermo bottle, 0.5 l", 2790),
        ("Strainer, stainless steel", 790), ("Tea tin, 200 g", 690),
        ("Bamboo whisk (茶筅)", 1790), ("Milk jug, enamel", 1580),
    ],
    "GDN": [
        ("Lovage seeds (Levisticum officinale)", 329), ("Herb pot, terracotta, 14 cm", 890),
        ("Secateurs, bypass", 3450), ("Watering can, 5 l", 2690), ("Jute twine, 100 m", 549),
        ("Compost starter, 1 kg", 1190), ("Gloves, size M", 990), ("Gloves, size L", 990),
        ("Raised bed, larch, 120 × 60 cm", 11900), ("Plant labels, slate, 10 pieces", 1250),
    ],
    "KIT": [
        ("Chef's knife, 20 cm", 8900), ("Chopping board, walnut", 5600),
        ("Cast-iron pan, 26 cm", 4700), ("Mortar, granite", 3850), ("Pepper mill, ash", 4290),
        ("Tea towel, linen, set of 3", 2490), ("Storage jars, set of 5", 3190),
        ("Kitchen scale, 1 g", 2990), ("Baking tin, loaf", 1690),
        ("Spice set “Crème brûlée”", 1990),
    ],
    "BOK": [
        ("Cookbook “Soups for Every Day”", 2800), ("Notebook, dotted, A5", 1190),
        ("Herbal, reprint", 4900), ("Postcards “Kräuter”, 12 pieces", 980),
        ("Wall calendar, garden", 1890), ("Recipe cards, 50 pieces", 750),
        ("Fountain pen, broad nib", 3990), ("Ink “Vert de liveche”, 30 ml", 1290),
        ("Map of tea regions", 2250), ("Gift card envelope", 150),
    ],
    "LTD": [
        ("Poster “Liebstöckel”, numbered", 3900), ("Anniversary teapot", 9900),
        ("Signed cookbook", 5900), ("有田焼 teacup by Mori", 12400), ("Woven throw “Norrland”", 7900),
        ("Silver tea spoon", 8500),
    ],
    "OUT": [("Picnic basket, willow", 6900), ("Honey from the roof, 250 g", 1150)],
    "VCH": [("Gift voucher 10", 1000), ("Gift voucher 50", 5000)],
}
LIMITED = [("EUR", 38, 20), ("USD", 34, 15), ("GBP", 27, 12), ("JPY", 22, 9), ("SEK", 19, 19),
           ("CHF", 18, 7)]  # currency, orders that ask for it, pieces there are
PLENTY = 5000


def make_products():
    products = []
    for group, entries in PRODUCTS.items():
        for number, (name, cents) in enumerate(entries, start=1):
            stock = {"LTD": lambda: LIMITED[number - 1][2], "OUT": lambda: 0}.get(
                group, lambda: PLENTY)()
            products.append({"sku": f"{group}-{100 + number * 7}", "name": name,
                             "price_eur_cents": cents, "stock": stock})
    return products


def unit_price(product, currency):
    """Price in minor units of the currency, rounded half up, as the demo must compute it."""
    digits, micros = CURRENCIES[currency]
    scaled = product["price_eur_cents"] * micros * 10**digits
    return (scaled + 50_000_000) // 100_000_000


def order_total(order, products):
    subtotal = sum(unit_price(products[i["sku"]], order["currency"]) * i["quantity"]
                   for i in order["items"])
    percent = COUPONS.get(order["coupon"], 0)
    return subtotal - subtotal * percent // 100


class Maker:
    def __init__(self):
        self.random = random.Random(SEED)
        self.products = {p["sku"]: p for p in make_products()}
        self.common = [s for s, p in self.products.items() if p["stock"] == PLENTY]
        self.sold_out = [s for s, p in self.products.items() if p["stock"] == 0]
        self.clock = datetime.datetime(2026, 3, 2, 6, 0, 0, tzinfo=datetime.timezone.utc)
        self.number = 70000

    def customer(self, country):
        place = COUNTRIES[country]
        given, family = (self.random.choice(part) for part in PEOPLE[place["names"]])
        full = (family[0] + place.get("joint", " ") + given[0] if place.get("family_first")
                else f"{given[0]} {family[0]}")
        mail = f"{given[1]}.{family[1]}".lower().replace(" ", "").replace("'", "")
        if self.random.random() < 0.2:
            mail += f"+{self.random.choice(['shop', 'tea', 'lovage'])}"
        domain = self.random.choice(["example.com", "example.org", "example.net", "mail.example"])
        phone = None
        if self.random.random() < 0.6:
            phone = place["phone"].format(self.random.randrange(0, 100))
        return {"name": full, "email": f"{mail}@{domain}", "phone": phone, "country": country,
                "locale": place["locale"]}

    def token(self, last4):
        return f"tok_{self.random.getrandbits(48):012x}_{last4}"

    def items(self):
        lines = self.random.choices([1, 2, 3, 4, 6, 9], weights=[40, 27, 16, 10, 5, 2])[0]
        chosen = [{"sku": self.random.choice(self.common),
                   "quantity": self.random.choices([1, 2, 3, 4, 6, 12, 24],
                                                   weights=[60, 20, 8, 5, 4, 2, 1])[0]}
                  for _ in range(lines)]
        return chosen  # the same SKU may stand on two lines, as in real carts

    def order(self, currency=None, items=None, last4=None, plain=False):
        countries = [c for c, p in COUNTRIES.items() if currency in (None, p["currency"])]
        country = self.random.choice(countries)
        self.clock += datetime.timedelta(seconds=self.random.randrange(1, 70))
        self.number += self.random.randrange(1, 9)
        offset = datetime.timezone(datetime.timedelta(minutes=COUNTRIES[country]["utc_minutes"]))
        coupon = None
        if not plain and self.random.random() < 0.15:
            coupon = self.random.choice([*COUPONS, *COUPONS, COUPON_UNKNOWN])
        note = self.random.choice(NOTES) if self.random.random() < 0.3 else None
        return {
            "id": f"L-{self.number}",
            "placed_at": self.clock.astimezone(offset).isoformat(),
            "customer": self.customer(country),
            "currency": currency or COUNTRIES[country]["currency"],
            "items": items or self.items(),
            "coupon": coupon,
            "card": {"brand": self.random.choice(["visa", "mastercard", "amex", "jcb", "elo"]),
                     "token": self.token(last4 or self.random.choice(CARDS_GOOD))},
            "note": note,
        }

    def plan(self, count):
        """The kinds of `count` good orders, shuffled: each a set of arguments for order()."""
        kinds = []
        for number, (currency, wanted, _) in enumerate(LIMITED, start=1):
            sku = f"LTD-{100 + number * 7}"
            kinds += [{"currency": currency, "plain": True,
                       "items": [{"sku": sku, "quantity": 1}]} for _ in range(wanted)]
        for _ in range(SOLD_OUT_ORDERS):
            mixed = self.items()[:2] + [{"sku": self.random.choice(self.sold_out), "quantity": 1}]
            self.random.shuffle(mixed)
            kinds.append({"items": mixed})
        kinds += [{"last4": CARD_DECLINED if i % 4 else CARD_EXPIRED}
                  for i in range(DECLINED_ORDERS)]
        kinds += [{"last4": CARD_FLAKY}] * FLAKY_ORDERS
        kinds += [{}] * (count - len(kinds))
        self.random.shuffle(kinds)
        return kinds


def text(order):
    return json.dumps(order, ensure_ascii=False, separators=(",", ":")).encode()


def changed(maker, **fields):
    """A line that is good but for the named fields; None takes a field out."""
    order = maker.order()
    for name, value in fields.items():
        if value is None:
            del order[name]
        else:
            order[name] = value
    return text(order)


def malformed_lines(maker):
    """(reason, octets): each is refused by the demo with exactly that reason."""
    one = [{"sku": "TEA-107", "quantity": 1}]

    def quantity(value):
        return changed(maker, items=[{"sku": "TEA-107", "quantity": value}])

    good = text(maker.order())
    plain_name = text({**maker.order(), "note": None})
    return [
        ("not_json", good[: len(good) // 2]),
        ("not_json", good[:-1] + b",}"),
        ("not_json", good.replace(b'"', b"'")),
        ("not_json", good + b" " + good),
        ("not_json", b"id;placed_at;customer;currency;items"),
        ("not_json", b'{"id":"L-1","items":' + b"[" * 500 + b"]" * 500 + b"}"),
        ("not_json", plain_name.replace(b'"note":null', b'"note":"tab\there"')),
        ("not_json", plain_name.replace(b'"note":null', b'"note":"\\ud83d"')),
        ("not_json", plain_name.replace(b'"note":null', b'"note":"caf\xe9"')),
        ("not_json", plain_name.replace(b'"note":null', b'"note":NaN')),
        ("empty_line", b""),
        ("not_an_object", text([maker.order()])),
        ("not_an_object", b"null"),
        ("missing_field", changed(maker, items=None)),
        ("missing_field", changed(maker, id=None)),
        ("missing_field", changed(maker, card=None)),
        ("bad_field", changed(maker, customer="Ada")),
        ("bad_field", changed(maker, items=[])),
        ("bad_field", changed(maker, id="")),
        ("bad_quantity", quantity(-3)),
        ("bad_quantity", quantity(0)),
        ("bad_quantity", quantity("2")),
        ("bad_quantity", quantity(QUANTITY_MAX + 1)),
        ("unknown_sku", changed(maker, items=one + [{"sku": "TEA-999", "quantity": 1}])),
        ("unknown_sku", changed(maker, items=[{"sku": "tea-107", "quantity": 1}])),
        ("unknown_currency", changed(maker, currency="XAU")),
        ("unknown_currency", changed(maker, currency="eur")),
    ]


def make_lines(maker):
    """[(octets, reason or None)] in file order, duplicates included."""
    bad = malformed_lines(maker)
    kinds = maker.plan(LINES - DUPLICATES - len(bad))
    lines = [(text(maker.order(**kind)), None) for kind in kinds]
    rng = maker.random
    for number in range(DUPLICATES):
        at = rng.randrange(0, len(lines) - 200)
        again = lines[at][0]
        if number % 4 == 3:  # the same id with other content: the first one counts
            order = json.loads(again)
            order["items"] = [{"sku": "BOK-170", "quantity": 2}]
            again = text(order)
        lines.insert(at + rng.randrange(1, 200), (again, None))
    # One refused line is sent again, mended: that is no duplicate.
    mended = rng.randrange(300, 600)
    order = json.loads(lines[mended][0])
    order["currency"] = "XAU"
    bad[-2] = ("unknown_currency", text(order))
    lines.insert(mended - 5, (bad[-2][1], bad[-2][0]))
    for reason, octets in bad[:-2] + bad[-1:]:
        lines.insert(rng.randrange(10, len(lines) - 10), (octets, reason))
    return lines


def judge(lines, products):
    """What processing the lines must come to; independent of the order of processing."""
    seen, malformed = set(), []
    result = {"lines": len(lines), "malformed": 0, "duplicate": 0, "accepted": 0,
              "out_of_stock": 0, "declined": 0, "shipped": 0, "retried_charges": 0}
    left = {sku: p["stock"] for sku, p in products.items()}
    revenue = dict.fromkeys(CURRENCIES, 0)
    for number, (octets, reason) in enumerate(lines, start=1):
        if reason:
            malformed.append({"line": number, "reason": reason})
            continue
        order = json.loads(octets)
        if order["id"] in seen:
            result["duplicate"] += 1
            continue
        seen.add(order["id"])
        result["accepted"] += 1
        wanted = {}
        for item in order["items"]:
            wanted[item["sku"]] = wanted.get(item["sku"], 0) + item["quantity"]
        if any(left[sku] < quantity for sku, quantity in wanted.items()):
            result["out_of_stock"] += 1
            continue
        last4 = order["card"]["token"][-4:]
        if last4 in (CARD_DECLINED, CARD_EXPIRED):
            result["declined"] += 1
            continue
        result["retried_charges"] += last4 == CARD_FLAKY
        result["shipped"] += 1
        for sku, quantity in wanted.items():
            left[sku] -= quantity
        revenue[order["currency"]] += order_total(order, products)
    result["malformed"] = len(malformed)
    sold = {s: p["stock"] - left[s] for s, p in products.items() if p["stock"] != left[s]}
    assert all(left[s] > 0 for s, p in products.items() if p["stock"] == PLENTY)
    return {**result, "revenue_minor": {c: v for c, v in revenue.items() if v},
            "units_sold": sold, "malformed_lines": malformed}


def make_files():
    maker = Maker()
    lines = make_lines(maker)
    assert len(lines) == LINES and not any(b"\n" in octets for octets, _ in lines)
    stock = {
        "currencies": {c: {"digits": d, "per_eur_micros": m} for c, (d, m) in CURRENCIES.items()},
        "coupons": {c: {"percent": p} for c, p in COUPONS.items()},
        "products": list(maker.products.values()),
    }

    def pretty(value):
        return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()

    return {
        "orders.jsonl": b"".join(octets + b"\n" for octets, _ in lines),
        "stock.json": pretty(stock),
        "expected.json": pretty(judge(lines, maker.products)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    options = parser.parse_args()
    here = pathlib.Path(__file__).resolve().parent
    wrong = []
    for name, octets in make_files().items():
        path = here / name
        if not options.check:
            path.write_bytes(octets)
        elif not path.exists() or path.read_bytes() != octets:
            wrong.append(name)
    if wrong:
        sys.exit(f"not what make_orders.py makes: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
