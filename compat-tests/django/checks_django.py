"""Django: migrations of its own apps and of one that creates, alters and renames; then down again."""
import contextlib
import io
import sys

import django
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from checks import check, equal, run

django.setup()


def manage(*arguments):
    output = io.StringIO()
    call_command(*arguments, stdout=output, verbosity=0)
    return output.getvalue()


def tables():
    with connection.cursor() as cursor:
        return set(connection.introspection.table_names(cursor))


@check
def starts_clean(_):
    with connection.cursor() as cursor:
        for table in tables():
            if table.startswith(("shop_", "auth_", "django_")):
                cursor.execute(f'DROP TABLE IF EXISTS "{table}" CASCADE')


@check
def contributed_apps(_):
    for app in ["contenttypes", "auth", "sessions", "admin"]:
        manage("migrate", app)
    equal({"auth_user", "django_admin_log", "django_session"} <= tables(), True)
    from django.contrib.auth.models import User
    user = User.objects.create_user("ann", password="secret")
    equal(User.objects.get(username="ann").check_password("secret"), True)
    user.delete()


@check
def create(_):
    manage("migrate", "shop", "0002")
    equal({"shop_brand", "shop_product", "shop_product_related"} <= tables(), True)


@check
def alter(_):
    manage("migrate", "shop", "0003")
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, "shop_product")
    equal(constraints["by_price"]["orders"], ["ASC", "DESC"])
    equal(constraints["price_not_negative"]["check"], True)
    equal(constraints["name_of_maker"]["unique"], True)


@check
def rename(_):
    manage("migrate", "shop")
    equal({"shop_maker", "shop_item"} <= tables(), True)
    from shop.models import Maker, Product
    equal(Product.objects.filter(maker__title="Acme", active=True, price__gt=2).count(), 2)
    with contextlib.suppress(IntegrityError), transaction.atomic():
        Product.objects.create(maker=Maker.objects.get(), name="thing 1", price=1)
        raise AssertionError("a name was taken twice")
    first = Product.objects.create(maker=Maker.objects.get(), name="new", price="1.50", tags={"a": [1]})
    first.related.add(Product.objects.get(name="thing 1"))
    equal(Product.objects.get(tags__a=[1]).pk, first.pk)


@check
def inspectdb(_):
    equal("class ShopItem(models.Model)" in manage("inspectdb", "shop_item"), True)


@check
def flush(_):
    from shop.models import Product
    manage("flush", "--no-input")
    equal(Product.objects.count(), 0)


@check
def down(_):
    manage("migrate", "shop", "0003")
    manage("migrate", "shop", "0002")
    manage("migrate", "shop", "zero")
    equal({name for name in tables() if name.startswith("shop_")}, set())


@check
def all_down(_):
    for app in ["admin", "sessions", "auth", "contenttypes"]:
        manage("migrate", app, "zero")
    equal({name for name in tables() if name.startswith("auth_")}, set())


if __name__ == "__main__":
    sys.exit(run(lambda: contextlib.nullcontext(connection), False))
