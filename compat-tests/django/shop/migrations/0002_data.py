from django.db import migrations


def fill(apps, _editor):
    brand = apps.get_model("shop", "Brand").objects.create(title="Acme")
    products = apps.get_model("shop", "Product").objects
    products.bulk_create([products.model(brand=brand, name=f"thing {n}", price=n) for n in range(5)])


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
